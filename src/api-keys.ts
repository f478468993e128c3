/** Keys by which programs and operators are known: kept as digests alone, and compared in constant time. */
import { createHash, timingSafeEqual } from "node:crypto";

const leastLength = 16;
const sha256 = (text: string | Buffer) => createHash("sha256").update(text).digest();

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

/** The same for a key and for what stands for it in a configuration. @param key that {@link isKey} takes. */
export function keyDigest(key: string): Buffer {
  const [, hex] = digest.exec(key.trim()) ?? [];
  return hex === undefined ? sha256(key.trim()) : Buffer.from(hex, "hex");
}

/** A name that tells nothing of the key. Ids stand in logs: what is there must not be what a configuration holds. */
export function keyName(key: string): string {
  return sha256(Buffer.concat([Buffer.from("ascent caller\0"), keyDigest(key)]))
    .toString("base64url")
    .slice(0, 22);
}

export interface Keyring<Holder> {
  /** Who holds the key of `Authorization: Bearer <key>`; undefined where it is missing or wrong. */
  of(headers: Headers): Holder | undefined;
}

/** @param holders the keys that {@link isKey} takes, each with whose it is. */
export function createKeyring<Holder>(holders: readonly (readonly [key: string, holder: Holder])[]): Keyring<Holder> {
  const digests = holders.map(([key, holder]) => ({ digest: keyDigest(key), holder }));
  return {
    of(headers) {
      const [, token] = /^Bearer +(\S+) *$/i.exec(headers.get("authorization") ?? "") ?? [];
      const given = sha256(token ?? "");
      let found: Holder | undefined;
      for (const one of digests) if (timingSafeEqual(one.digest, given)) found = one.holder;
      return token === undefined ? undefined : found;
    },
  };
}
