/**
 * Plain state guarded by ETags. Stores name their own ETags, and a write does not tell the new one; so every value carries a
 * tag of ours, and the store's is looked up when a guarded write needs it. Where the store counts (Redis), the next
 * one is known without asking; a wrong guess is refused by the store and costs a look.
 */
import { randomUUID } from "node:crypto";
import { ConflictError } from "../../src/errors.ts";
import type { Clock, Records } from "../../src/ports.ts";
import { createRecent } from "../../src/recent.ts";
import { unexpected, type Answer, type Sidecar } from "./sidecar.ts";
import { encodeName, segment } from "./wire.ts";

/** The component of dapr/components that holds all state. */
export const store = "state";

/** What is stored: our tag and the value. */
interface Stored {
  readonly t: string;
  readonly v: unknown;
}
interface Known {
  readonly tag: string;
  /** The store's own. */
  readonly etag: string;
}

/** So many wrong guesses, and this store does not count. */
const mostMisses = 3;

export interface DaprRecords extends Records {
  /** As `put`, over whatever another writes meanwhile: reads, changes and writes until nobody came in between. */
  change<T>(key: string, change: (value: unknown) => { readonly value: unknown; readonly result: T }): Promise<T>;
}

export function createRecords(sidecar: Sidecar, clock: Clock): DaprRecords {
  const known = createRecent<string, Known>(clock);
  let misses = 0;

  async function read(key: string): Promise<{ readonly value: unknown; readonly etag: string } | undefined> {
    const answer = await sidecar.call("GET", `/v1.0/state/${store}/${segment(key)}`);
    if (answer.status === 204 || (answer.status === 200 && answer.body === "")) {
      known.delete(key);
      return undefined;
    }
    if (answer.status !== 200) throw unexpected("a record cannot be read", answer);
    const { t, v } = JSON.parse(answer.body) as Stored;
    if (answer.etag !== undefined) known.set(key, { tag: t, etag: answer.etag });
    return { value: v, etag: t };
  }

  function write(key: string, stored: Stored, etag: string | null | undefined, ttlMs: number | undefined) {
    const absent = etag === null ? { options: { concurrency: "first-write" } } : {};
    const body = JSON.stringify([
      {
        key: encodeName(key),
        value: stored,
        ...absent,
        ...(typeof etag === "string" ? { etag } : {}),
        ...(ttlMs === undefined ? {} : { metadata: { ttlInSeconds: String(Math.max(1, Math.ceil(ttlMs / 1000))) } }),
      },
    ]);
    return sidecar.call("POST", `/v1.0/state/${store}`, { body });
  }

  function took(key: string, tag: string, before: string | undefined): string {
    const next = misses < mostMisses && before !== undefined ? counted(before) : undefined;
    if (next === undefined) known.delete(key);
    else known.set(key, { tag, etag: next });
    return tag;
  }

  async function over(key: string, stored: Stored, tag: string, ttlMs: number | undefined): Promise<string> {
    const guess = known.get(key);
    if (guess?.tag === tag) {
      const answer = await write(key, stored, guess.etag, ttlMs);
      if (isDone(answer)) return took(key, stored.t, guess.etag);
      if (!isConflict(answer)) throw unexpected("a record cannot be written", answer);
    }
    const found = await read(key);
    const now = known.get(key);
    if (found?.etag !== tag || now === undefined) throw changed();
    // The value is the one the caller saw: the guess was wrong.
    if (guess !== undefined && guess.etag !== now.etag) misses += 1;
    const answer = await write(key, stored, now.etag, ttlMs);
    if (isDone(answer)) return took(key, stored.t, now.etag);
    if (isConflict(answer)) throw changed();
    throw unexpected("a record cannot be written", answer);
  }

  async function put(
    key: string,
    value: unknown,
    options: { etag?: string | null; ttlMs?: number } = {},
  ): Promise<string> {
    const { etag, ttlMs } = options;
    const stored: Stored = { t: randomUUID(), v: value };
    if (typeof etag === "string") return over(key, stored, etag, ttlMs);
    const answer = await write(key, stored, etag, ttlMs);
    // Some stores tell a conflict with nothing, which this is, as any failure.
    if (etag === null && !isDone(answer) && (isConflict(answer) || (await read(key)) !== undefined)) throw changed();
    if (isDone(answer)) return took(key, stored.t, etag === null ? "0" : undefined);
    // Redis refuses an unguarded write of what was once written where there was none.
    const found = etag === undefined ? await read(key) : undefined;
    if (found === undefined) throw unexpected("a record cannot be written", answer);
    return over(key, stored, found.etag, ttlMs).catch((error: unknown) => {
      if (error instanceof ConflictError) return put(key, value, options);
      throw error;
    });
  }

  return {
    get: read,
    put,
    async remove(key) {
      known.delete(key);
      const answer = await sidecar.call("DELETE", `/v1.0/state/${store}/${segment(key)}`);
      if (!isDone(answer)) throw unexpected("a record cannot be removed", answer);
    },
    async change(key, change) {
      for (;;) {
        const found = await read(key);
        const { value, result } = change(found?.value);
        try {
          await put(key, value, { etag: found?.etag ?? null });
          return result;
        } catch (error) {
          if (!(error instanceof ConflictError)) throw error;
        }
      }
    },
  };
}

const changed = () => new ConflictError("the record was changed meanwhile");
const isDone = ({ status }: Answer) => status === 200 || status === 204;
const isConflict = ({ status }: Answer) => status === 409;

function counted(etag: string): string | undefined {
  return /^\d{1,15}$/.test(etag) ? String(Number(etag) + 1) : undefined;
}
