import { createHash, type Hash } from "node:crypto";

/** Begins the digest under which a blob is stored; its bytes follow. An owner's is told from bytes by its length before it. */
export function blobDigest(owner: string | undefined): Hash {
  const hash = createHash("sha256");
  return owner === undefined ? hash : hash.update(`owner ${owner.length} ${owner}\n`);
}
