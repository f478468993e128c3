/**
 * An append-only, numbered log in plain state. The head holds the newest entries; whenever they are a page they move to a
 * record of their own, so that an append costs the same whatever came before it. Appends of one process to one log share a
 * write; those of several meet at the head's ETag.
 */
import { ConflictError } from "../../src/errors.ts";
import type { DaprRecords } from "./records.ts";

export interface LogEntry {
  readonly n: number;
  readonly key: string;
  readonly at: number;
  readonly entry: unknown;
}

interface Head {
  /** The number of the last entry that ever was. */
  readonly n: number;
  /** Pages `first` up to `next - 1` are stored under keys of their own. */
  readonly first: number;
  readonly next: number;
  readonly open: readonly LogEntry[];
}

export interface PagedLog {
  /** Resolves with the numbers, in their order; with `once` an entry whose key is there keeps its number. */
  append(
    name: string,
    entries: readonly NewEntry[],
  ): Promise<readonly { readonly n: number; readonly fresh: boolean }[]>;
  /** What `wanted` takes, at most `limit`, ascending: from `after` where that is given alone, else the newest of the range. */
  list(name: string, range: Range, wanted?: (entry: LogEntry) => boolean): Promise<readonly LogEntry[]>;
  get(name: string, key: string): Promise<LogEntry | undefined>;
  clear(name: string): Promise<void>;
}
export type NewEntry = Omit<LogEntry, "n">;
export interface Range {
  readonly after?: number;
  readonly before?: number;
  readonly limit: number;
}

export interface LogOptions {
  readonly records: DaprRecords;
  /** Starts the keys of these logs. */
  readonly prefix: string;
  /** An index of keys is kept: `append` finds what is there, `get` works. */
  readonly once: boolean;
  /** Older pages are removed. */
  readonly mostPages: number;
}

const pageSize = 64;
const empty: Head = { n: 0, first: 0, next: 0, open: [] };

interface Waiting {
  readonly entries: readonly NewEntry[];
  readonly done: PromiseWithResolvers<readonly { n: number; fresh: boolean }[]>;
}

export function createPagedLog({ records, prefix, once, mostPages }: LogOptions): PagedLog {
  const waiting = new Map<string, Waiting[]>();

  const headKey = (name: string) => `${prefix}:${name}`;
  const pageKey = (name: string, page: number) => `${prefix}:${name}:page:${page}`;
  const indexKey = (name: string, key: string) => `${prefix}:${name}:key:${key}`;

  const headOf = async (name: string): Promise<{ head: Head; etag: string | null }> => {
    const found = await records.get(headKey(name));
    return { head: (found?.value as Head | undefined) ?? empty, etag: found?.etag ?? null };
  };
  const pageOf = async (name: string, page: number): Promise<readonly LogEntry[]> =>
    ((await records.get(pageKey(name, page)))?.value as readonly LogEntry[] | undefined) ?? [];

  /** An entry with this key, wherever it is. The index may name a number that another entry has: after a crash. */
  async function find(name: string, key: string): Promise<LogEntry | undefined> {
    const n = (await records.get(indexKey(name, key)))?.value as number | undefined;
    if (n === undefined) return undefined;
    const { head } = await headOf(name);
    const open = head.open.find((entry) => entry.key === key);
    if (open !== undefined) return open;
    const page = await firstAfter(name, head, n - 1);
    return page < head.next ? (await pageOf(name, page)).find((entry) => entry.key === key) : undefined;
  }

  /** Index first, then the head, and a page before the head that lets go of its entries: a crash in between loses nothing. */
  async function write(name: string, all: readonly NewEntry[]): Promise<{ n: number; fresh: boolean }[]> {
    const numbers = new Map<string, number>();
    if (once) {
      for (const { key } of all) {
        const found = await find(name, key);
        if (found !== undefined) numbers.set(key, found.n);
      }
    }
    for (;;) {
      const { head, etag } = await headOf(name);
      const known = new Map(once ? [...numbers, ...head.open.map(({ key, n }) => [key, n] as const)] : []);
      const fresh: LogEntry[] = [];
      const results = all.map((entry) => {
        const before = known.get(entry.key);
        if (before !== undefined) return { n: before, fresh: false };
        const n = head.n + fresh.length + 1;
        if (once) known.set(entry.key, n);
        fresh.push({ n, ...entry });
        return { n, fresh: true };
      });
      if (fresh.length === 0) return results;
      if (once) await Promise.all(fresh.map(({ key, n }) => records.put(indexKey(name, key), n)));
      try {
        await writeHead(name, head, etag, fresh);
        return results;
      } catch (error) {
        if (!(error instanceof ConflictError)) throw error;
      }
    }
  }

  async function writeHead(name: string, head: Head, etag: string | null, fresh: readonly LogEntry[]): Promise<void> {
    let open = [...head.open, ...fresh];
    let { next, first } = head;
    for (; open.length >= pageSize; next++) {
      await records.put(pageKey(name, next), open.slice(0, pageSize));
      open = open.slice(pageSize);
    }
    const old = first;
    first = Math.max(first, next - mostPages);
    await records.put(headKey(name), { n: head.n + fresh.length, first, next, open } satisfies Head, { etag });
    for (let page = old; page < first; page++) await dropPage(name, page);
  }

  async function dropPage(name: string, page: number): Promise<void> {
    if (once) for (const { key } of await pageOf(name, page)) await records.remove(indexKey(name, key));
    await records.remove(pageKey(name, page));
  }

  async function work(name: string): Promise<void> {
    for (let batch = waiting.get(name); batch !== undefined && batch.length > 0; batch = waiting.get(name)) {
      waiting.set(name, []);
      try {
        const results = await write(
          name,
          batch.flatMap(({ entries }) => entries),
        );
        for (const { entries, done } of batch) done.resolve(results.splice(0, entries.length));
      } catch (error) {
        for (const { done } of batch) done.reject(error);
      }
    }
    waiting.delete(name);
  }

  return {
    append(name, entries) {
      const done = Promise.withResolvers<readonly { n: number; fresh: boolean }[]>();
      const line = waiting.get(name);
      if (line !== undefined) line.push({ entries, done });
      else {
        waiting.set(name, [{ entries, done }]);
        void work(name);
      }
      return done.promise;
    },
    async list(name, { after, before, limit }, wanted = () => true) {
      const { head } = await headOf(name);
      const isIn = (entry: LogEntry) => entry.n > (after ?? 0) && entry.n < (before ?? Infinity) && wanted(entry);
      const found: LogEntry[] = [];
      if (after === undefined || before !== undefined) {
        found.push(...head.open.filter(isIn).slice(-limit));
        for (let page = head.next - 1; page >= head.first && found.length < limit; page--) {
          found.unshift(...(await pageOf(name, page)).filter(isIn).slice(-(limit - found.length)));
        }
        return found;
      }
      for (let page = await firstAfter(name, head, after); page < head.next && found.length < limit; page++) {
        found.push(...(await pageOf(name, page)).filter(isIn));
      }
      return [...found, ...head.open.filter(isIn)].slice(0, limit);
    },
    get: find,
    async clear(name) {
      const { head, etag } = await headOf(name);
      if (etag === null) return;
      // The head last: until then another try finds them.
      for (let page = head.first; page < head.next; page++) await dropPage(name, page);
      if (once) for (const { key } of head.open) await records.remove(indexKey(name, key));
      await records.put(headKey(name), { ...empty, n: head.n, first: head.next, next: head.next }, { etag });
    },
  };

  /** The first page that may hold entries behind `after`: pages are full, so that their numbers follow from the newest. */
  async function firstAfter(name: string, head: Head, after: number): Promise<number> {
    let low = head.first;
    let high = head.next;
    while (low < high) {
      const middle = (low + high) >> 1;
      const last = (await pageOf(name, middle)).at(-1)?.n ?? 0;
      if (last > after) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
