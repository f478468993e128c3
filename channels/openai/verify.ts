/** Who is asking: a key is known by its digest alone, and compared in constant time. */
import { createHash, timingSafeEqual } from "node:crypto";

const leastLength = 16;
const sha256 = (text: string | Buffer) => createHash("sha256").update(text).digest();

export interface Callers {
  /** The caller's name in ids, which tells nothing of the key; undefined where the key is missing or wrong. */
  of(headers: Headers): string | undefined;
}

/** @throws Error that names `variable` where a key could be guessed. */
export function createCallers(keys: readonly string[], variable: string): Callers {
  const digests = keys.map((key) => digestOf(key.trim(), variable));
  return {
    of(headers) {
      const [, token] = /^Bearer +(\S+) *$/i.exec(headers.get("authorization") ?? "") ?? [];
      const given = sha256(token ?? "");
      let found: Buffer | undefined;
      for (const digest of digests) if (timingSafeEqual(digest, given)) found = digest;
      return token === undefined || found === undefined ? undefined : nameOf(found);
    },
  };
}

function digestOf(key: string, variable: string): Buffer {
  const [, hex] = /^sha256:([0-9a-f]{64})$/i.exec(key) ?? [];
  if (hex !== undefined) return Buffer.from(hex, "hex");
  if (key.length >= leastLength && !/\s/.test(key) && !key.startsWith("sha256:")) return sha256(key);
  throw new Error(
    `${variable} holds a key that is not valid: a key has ${leastLength} characters or more and no spaces, as ` +
      `"openssl rand -hex 24" prints, or is "sha256:" and the 64 hex digits of one's digest.`,
  );
}

/** Ids stand in logs: what is there must not be what a configuration holds. */
function nameOf(digest: Buffer): string {
  return sha256(Buffer.concat([Buffer.from("ascent caller\0"), digest]))
    .toString("base64url")
    .slice(0, 22);
}
