/**
 * Bytes in plain state, in pieces of which each fits a request. They are deleted by the store itself: every piece has a time
 * to live, which begins anew when a message uses them.
 */
import { randomUUID, type Hash } from "node:crypto";
import { blobDigest } from "../../src/blob-digest.ts";
import { InputError } from "../../src/errors.ts";
import type { Blob, Blobs } from "../../src/ports.ts";
import { blobSuffix } from "../../src/tenant-blobs.ts";
import type { DaprRecords } from "./records.ts";

const pieceBytes = 512 * 1024;
const draftMs = 86_400_000;

/** What a blob's own record says; its pieces are under an id of their own, so that an upload that breaks off harms nobody. */
interface Kept extends Blob {
  readonly pieces: string;
  readonly count: number;
  readonly draft: boolean;
}

/** @param keptMs how long bytes are kept after they were last put or used. */
export function createBlobs(records: DaprRecords, keptMs: number): Blobs {
  const keyOf = (id: string) => `blob:${id}`;
  const pieceKey = (pieces: string, at: number) => `blob:${pieces}:${at}`;
  const lifeOf = (draft: boolean) => ({ ttlMs: draft ? Math.min(draftMs, keptMs) : keptMs });

  async function find(id: string): Promise<Kept | undefined> {
    if (!/^[0-9a-f]{64}(-[\w-]{11})?$/.test(id)) return undefined;
    return (await records.get(keyOf(id)))?.value as Kept | undefined;
  }

  /** @returns how many pieces were written, the digest and the size. */
  async function receive(
    body: ReadableStream<Uint8Array>,
    pieces: string,
    hash: Hash,
    maxBytes: number,
    draft: boolean,
  ) {
    let size = 0;
    let count = 0;
    let pending = Buffer.alloc(0);
    try {
      for await (const chunk of body) {
        size += chunk.byteLength;
        if (size > maxBytes)
          throw new InputError(`More than ${maxBytes} bytes: send something smaller.`, { status: 413 });
        hash.update(chunk);
        pending = Buffer.concat([pending, chunk]);
        for (; pending.byteLength >= pieceBytes; pending = pending.subarray(pieceBytes)) {
          await records.put(pieceKey(pieces, count++), pending.toString("base64", 0, pieceBytes), lifeOf(draft));
        }
      }
      if (pending.byteLength > 0)
        await records.put(pieceKey(pieces, count++), pending.toString("base64"), lifeOf(draft));
    } catch (error) {
      await discard(pieces, count);
      throw error;
    }
    return { digest: hash.digest("hex"), size, count };
  }

  async function discard(pieces: string, count: number): Promise<void> {
    await Promise.allSettled(Array.from({ length: count }, (_, at) => records.remove(pieceKey(pieces, at))));
  }

  async function prolong(kept: Kept, draft: boolean): Promise<void> {
    for (let at = 0; at < kept.count; at++) {
      const key = pieceKey(kept.pieces, at);
      const piece = await records.get(key);
      if (piece !== undefined) await records.put(key, piece.value, lifeOf(draft));
    }
    await records.put(keyOf(kept.id), { ...kept, draft } satisfies Kept, lifeOf(draft));
  }

  return {
    async put(body, { type, name, maxBytes, owner, draft = false, tenant }) {
      const pieces = randomUUID();
      const { digest, size, count } = await receive(body, pieces, blobDigest(owner), maxBytes, draft);
      const id = `${digest}${blobSuffix(tenant)}`;
      const known = await find(id);
      if (known !== undefined) {
        await discard(pieces, count);
        await prolong(known, draft && known.draft);
        return blobOf(known);
      }
      const kept: Kept = { id, type, size, ...(name === undefined ? {} : { name }), pieces, count, draft };
      await records.put(keyOf(id), kept, lifeOf(draft));
      return blobOf(kept);
    },
    async get(id, { use = false } = {}) {
      const kept = await find(id);
      if (kept === undefined) return undefined;
      if (use) await prolong(kept, false);
      let at = 0;
      const body = new ReadableStream<Uint8Array>({
        async pull(controller) {
          if (at === kept.count) return controller.close();
          const piece = await records.get(pieceKey(kept.pieces, at++));
          if (piece === undefined) return controller.error(new Error("the bytes are gone"));
          controller.enqueue(Buffer.from(piece.value as string, "base64"));
        },
      });
      return { ...blobOf(kept), body };
    },
    async remove(id) {
      const kept = await find(id);
      if (kept === undefined) return;
      for (let at = 0; at < kept.count; at++) await records.remove(pieceKey(kept.pieces, at));
      // Last: until then another try finds the pieces.
      await records.remove(keyOf(id));
    },
  };
}

function blobOf({ id, type, name, size }: Kept): Blob {
  return { id, type, ...(name === undefined ? {} : { name }), size };
}
