/** Programs that ask with a key: a key is known by its digest alone, and compared in constant time. */
import { createHash, timingSafeEqual } from "node:crypto";

const leastLength = 16;
const sha256 = (text: string | Buffer) => createHash("sha256").update(text).digest();

export interface Callers {
  /** The caller's name in ids, which tells nothing of the key; undefined where the key is missing or wrong. */
  of(headers: Headers): string | undefined;
}

/** What a key must be, as an order. */
export const keyAdvice =
  `take ${leastLength} characters or more without spaces, as "openssl rand -hex 24" prints, or "sha256:" and the 64 hex digits of ` +
  "one's digest";

const digest = /^sha256:([0-9a-f]{64})$/i;

/** False for what could be guessed. */
export function isKey(given: string): boolean {
  const key = given.trim();
  return digest.test(key) || (key.length >= leastLength && !/\s/.test(key) && !key.startsWith("sha256:"));
}

/** @param keys that {@link isKey} takes. */
export function createCallers(keys: readonly string[]): Callers {
  const digests = keys.map((key) => digestOf(key.trim()));
  return {
    of(headers) {
      const token = bearerOf(headers);
      const given = sha256(token ?? "");
      let found: Buffer | undefined;
      for (const one of digests) if (timingSafeEqual(one, given)) found = one;
      return token === undefined || found === undefined ? undefined : nameOf(found);
    },
  };
}

export function bearerOf(headers: Headers): string | undefined {
  return /^Bearer +(\S+) *$/i.exec(headers.get("authorization") ?? "")?.[1];
}

function digestOf(key: string): Buffer {
  const [, hex] = digest.exec(key) ?? [];
  return hex === undefined ? sha256(key) : Buffer.from(hex, "hex");
}

/** Ids stand in logs: what is there must not be what a configuration holds. */
function nameOf(digest: Buffer): string {
  return sha256(Buffer.concat([Buffer.from("ascent caller\0"), digest]))
    .toString("base64url")
    .slice(0, 22);
}
