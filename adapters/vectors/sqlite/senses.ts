/**
 * Passages by their sense: the cosine with every vector, exactly. 20,000 vectors of 1,536 numbers take about half a second, in slices
 * between which the process goes on.
 */
import type { DatabaseSync } from "node:sqlite";
import { setImmediate as turn } from "node:timers/promises";
import type { Scored } from "../fusion.ts";

const slice = 500;

export interface Sense {
  readonly model: string;
  readonly of: Float32Array;
}

/** The `most` best, the best first. @param collections as JSON; null: all. */
export async function bySense(
  db: DatabaseSync,
  { model, of }: Sense,
  collections: string | null,
  most: number,
): Promise<readonly Scored[]> {
  const next = db.prepare(`
    SELECT vector.n AS n, vector.of AS of FROM vector JOIN document ON document.id = vector.document
    WHERE vector.n > ?1 AND document.model = ?2 AND (?3 IS NULL OR collection IN (SELECT value FROM json_each(?3)))
    ORDER BY vector.n LIMIT ${slice}`);
  const best: Scored[] = [];
  for (let after = 0; ;) {
    const rows = next.all(after, model, collections);
    for (const row of rows) {
      const score = dot(vectorOf(row["of"] as Uint8Array), of);
      const last = best.length < most ? undefined : best[most - 1];
      if (last !== undefined && score <= last.score) continue;
      const at = best.findIndex((one) => one.score < score);
      best.splice(at < 0 ? best.length : at, 0, { n: row["n"] as number, score });
      best.length = Math.min(best.length, most);
    }
    if (rows.length < slice) return best;
    after = rows.at(-1)?.["n"] as number;
    await turn();
  }
}

export function bytesOf(vector: Float32Array): Uint8Array {
  return new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength);
}

function vectorOf({ buffer, byteOffset, byteLength }: Uint8Array): Float32Array {
  const isAligned = byteOffset % Float32Array.BYTES_PER_ELEMENT === 0;
  return isAligned
    ? new Float32Array(buffer, byteOffset, byteLength / Float32Array.BYTES_PER_ELEMENT)
    : new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength));
}

/** Of vectors of length 1 their cosine. Those of different sizes have nothing in common. */
function dot(a: Float32Array, b: Float32Array): number {
  if (a.length !== b.length) return 0;
  let sum = 0;
  for (let at = 0; at < a.length; at += 1) sum += (a[at] as number) * (b[at] as number);
  return sum;
}
