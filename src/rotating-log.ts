/**
 * Names in the order in which they came, kept for one to two periods: three lists take turns. Whoever adds clears the list whose turn
 * is next; no process writes to that one for half a period yet, so that nothing which is added is cleared with it.
 */
import type { Clock, Transcript } from "./ports.ts";
import { createRecent } from "./recent.ts";

/** How long this process knows that what is over is cleared. */
const knownMs = 3_600_000;
const pageSize = 200;
const lists = 3;

export interface RotatingLog {
  /** Again changes nothing within a period. */
  add(log: string, name: string, entry?: Readonly<Record<string, unknown>>): Promise<void>;
  /** The newest first: all of the last period, and nothing that is older than two. */
  newest(log: string): AsyncIterable<string>;
}

/** Where the log may stand: the same whatever its period is, or was. */
export function listsOf(log: string): readonly string[] {
  return Array.from({ length: lists }, (_, n) => listAt(log, n));
}

/** @param lives whether what has this name is still there, where it may outlive a period: then its name comes along. */
export function createRotatingLog(
  transcript: Transcript,
  clock: Clock,
  periodMs: number,
  lives?: (name: string) => Promise<boolean>,
): RotatingLog {
  const cleared = createRecent<string, number>(clock, knownMs);

  async function clear(list: string, into: string): Promise<void> {
    for (let after = 0; lives !== undefined;) {
      const page = await transcript.list(list, { after, limit: pageSize });
      await Promise.all(
        page.map(async ({ key, entry }) => void ((await lives(key)) && (await transcript.append(into, key, entry)))),
      );
      if (page.length < pageSize) break;
      after = page.at(-1)?.n ?? after;
    }
    // Last: until then another try finds them.
    await transcript.clear(list);
  }

  async function clearOld(log: string, now: number): Promise<void> {
    const period = Math.floor(now / periodMs);
    // Later in the period the list's own turn is near: then what is over stays for another round.
    if (cleared.get(log) === period || now - period * periodMs > periodMs / 2) return;
    const next = listAt(log, period + 1);
    const [latest] = await transcript.list(next, { before: Number.MAX_SAFE_INTEGER, limit: 1 });
    if (latest !== undefined && latest.at < (period - 1) * periodMs) await clear(next, listAt(log, period));
    cleared.set(log, period);
  }

  async function* backwards(list: string, from: number): AsyncIterable<string> {
    for (let before = Number.MAX_SAFE_INTEGER; ;) {
      const page = await transcript.list(list, { before, limit: pageSize });
      for (const { key, at } of page.toReversed()) if (at >= from) yield key;
      const oldest = page[0];
      if (oldest === undefined || page.length < pageSize || oldest.at < from) return;
      before = oldest.n;
    }
  }

  return {
    async add(log, name, entry = {}) {
      const now = clock.now();
      await clearOld(log, now);
      await transcript.append(listAt(log, Math.floor(now / periodMs)), name, { v: 1, ...entry });
    },
    async *newest(log) {
      const period = Math.floor(clock.now() / periodMs);
      const seen = new Set<string>();
      // The third one: where the period was another before.
      for (const which of [period, period + 2, period + 1]) {
        for await (const name of backwards(listAt(log, which), (period - 1) * periodMs)) {
          if (seen.has(name)) continue;
          seen.add(name);
          yield name;
        }
      }
    },
  };
}

const listAt = (log: string, n: number) => `${log}:${n % lists}`;
