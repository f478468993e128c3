/**
 * Standard Webhooks: HMAC-SHA256 over id, time-stamp and the raw body, in both directions.
 * @see https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { Webhook } from "standardwebhooks";
import { secretsIn } from "./secrets.ts";

const toleranceSeconds = 5 * 60;

export interface Keys {
  /** A secret is shorter than the 24 bytes the scheme asks for. */
  readonly weak: boolean;
  /** What is wrong with the signature, or undefined where it holds. `body`: the raw bytes as text. */
  refusal(headers: Headers, body: string, nowMs: number): string | undefined;
  /** Signed with every secret, so that the receiver may know any of them. */
  sign(id: string, body: string, nowMs: number): Readonly<Record<string, string>>;
}

/** For a source that makes no requests: it needs a secret only where answers go out to it. */
export function createBindingKeys(setting: string): Keys {
  return { ...createKeys(setting), refusal: () => "This source makes no requests." };
}

/** A source's own way: the HMAC of the body in a header, or the secret itself. */
export type SourceSignature = { readonly header: string } & (
  | { readonly scheme: "hmac-sha256"; readonly prefix: string; readonly encoding: "hex" | "base64" }
  | { readonly scheme: "secret" }
);

/**
 * For a source that has its own way to show that it is the one. What goes out to it is signed by the scheme all the same, with
 * the secret's bytes.
 */
export function createSourceKeys(setting: string, signature: SourceSignature): Keys {
  const secrets = secretsIn(setting);
  const { sign } = createKeys(secrets.map((one) => Buffer.from(one).toString("base64")).join(" "));
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

/** @param setting in which {@link secretProblem} finds none. */
export function createKeys(setting: string): Keys {
  const secrets = secretsIn(setting);
  const hooks = secrets.map((one) => new Webhook(one));
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

function same(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}
