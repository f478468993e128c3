/**
 * Standard Webhooks: HMAC-SHA256 over id, time-stamp and the raw body, in both directions.
 * @see https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { Webhook } from "standardwebhooks";
import type { WebhookSettings } from "./settings.ts";

const toleranceSeconds = 5 * 60;

export interface Keys {
  /** A secret is shorter than the 24 bytes the scheme asks for. */
  readonly weak: boolean;
  /** What is wrong with the signature, or undefined where it holds. `body`: the raw bytes as text. */
  refusal(headers: Headers, body: string, nowMs: number): string | undefined;
  /** Signed with every secret, so that the receiver may know any of them. */
  sign(id: string, body: string, nowMs: number): Readonly<Record<string, string>>;
}

/** For a source that makes no requests. @throws Error where its answers could not be signed for their callbacks. */
export function createBindingKeys(secret: string, hasCallbacks: boolean, variable: string): Keys {
  const keys = secret.trim() === "" && !hasCallbacks ? undefined : createKeys(secret, variable);
  return {
    weak: keys?.weak === true,
    refusal: () => "This source makes no requests.",
    sign: (id, body, nowMs) => keys?.sign(id, body, nowMs) ?? {},
  };
}

/**
 * For a source that has its own way to show that it is the one. What goes out to it is signed by the scheme all the same, with
 * the secret's bytes. @throws Error that names the variable when the secret is missing.
 */
export function createSourceKeys(
  secret: string,
  signature: Extract<WebhookSettings["signature"], { header: string }>,
  variable: string,
): Keys {
  const secrets = secret.split(/[\s,]+/).filter((one) => one !== "");
  if (secrets.length === 0) throw new Error(`${variable} is empty: anybody could speak for this source. Set it.`);
  const { sign } = createKeys(secrets.map((one) => Buffer.from(one).toString("base64")).join(" "), variable);
  const { header } = signature;

  /** What the header says where the request is genuine. */
  function expected(one: string, body: string): string {
    if (signature.scheme === "secret") return header.toLowerCase() === "authorization" ? `Bearer ${one}` : one;
    return signature.prefix + createHmac("sha256", one).update(body).digest(signature.encoding);
  }

  return {
    weak: secrets.some((one) => one.length < 16),
    refusal(headers, body) {
      const given = headers.get(header);
      if (given === null) return `The header ${header} is needed.`;
      return secrets.some((one) => sameText(expected(one, body), given)) ? undefined : `${header} is not right.`;
    },
    sign,
  };
}

/** In the same time whatever the lengths are. */
function sameText(one: string, other: string): boolean {
  const [a, b] = [one, other].map((text) => createHash("sha256").update(text).digest());
  return a !== undefined && b !== undefined && timingSafeEqual(a, b);
}

/** @throws Error that names the variable when a secret is missing or not of the scheme's form. */
export function createKeys(secret: string, variable: string): Keys {
  const secrets = secret.split(/[\s,]+/).filter((one) => one !== "");
  if (secrets.length === 0) {
    throw new Error(
      `${variable} is empty: set it to "whsec_" and 32 random bytes in base64, as "openssl rand -base64 32" prints.`,
    );
  }
  const hooks = secrets.map((one) => hookOf(one, variable));
  const signatures = (id: string, seconds: number, body: string) =>
    hooks.map((hook) => hook.sign(id, new Date(seconds * 1000), body));

  return {
    weak: secrets.some((one) => Buffer.from(one.replace(/^whsec_/, ""), "base64").length < 24),

    refusal(headers, body, nowMs) {
      const id = headers.get("webhook-id");
      const time = headers.get("webhook-timestamp");
      const given = headers.get("webhook-signature");
      if (id === null || time === null || given === null) {
        return "Sign the request: webhook-id, webhook-timestamp and webhook-signature are needed (https://www.standardwebhooks.com).";
      }
      if (!/^\d{1,12}$/.test(time) || Math.abs(nowMs / 1000 - Number(time)) > toleranceSeconds) {
        return "webhook-timestamp must be the current Unix time in seconds, within five minutes.";
      }
      const expected = signatures(id, Number(time), body);
      const candidates = given.split(" ").slice(0, 16);
      if (expected.some((one) => candidates.some((candidate) => same(one, candidate)))) return undefined;
      return "webhook-signature does not match the body and the secret.";
    },

    sign(id, body, nowMs) {
      const seconds = Math.floor(nowMs / 1000);
      return {
        "webhook-id": id,
        "webhook-timestamp": String(seconds),
        "webhook-signature": signatures(id, seconds, body).join(" "),
      };
    },
  };
}

function hookOf(secret: string, variable: string): Webhook {
  const bare = secret.replace(/^whsec_/, "");
  const wrong = `${variable} is not valid: a secret is base64, with or without "whsec_" before it, and not empty.`;
  // The decoder would pass over what is cut off or stands behind the padding.
  if (bare.length % 4 !== 0 || !/^[A-Za-z0-9+/]+={0,2}$/.test(bare)) throw new Error(wrong);
  try {
    return new Webhook(secret);
  } catch (error) {
    throw new Error(wrong, { cause: error });
  }
}

function same(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}
