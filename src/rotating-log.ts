/**
 * Names in the order in which they came, kept for one to two periods: two logs take turns, and what stands in one when its turn
 * comes again is over.
 */
import type { Clock, Transcript } from "./ports.ts";
import { createRecent } from "./recent.ts";

/** How long this process knows that a log is this period's. */
const knownMs = 3_600_000;
const pageSize = 200;

export interface RotatingLog {
  /** Again changes nothing within a period. */
  add(log: string, name: string): Promise<void>;
  /** The newest first. */
  newest(log: string): AsyncIterable<string>;
}

export function createRotatingLog(transcript: Transcript, clock: Clock, periodMs: number): RotatingLog {
  const current = createRecent<string, number>(clock, knownMs);
  const periodOf = (at: number) => Math.floor(at / periodMs);
  const listOf = (log: string, period: number) => `${log}:${period % 2}`;

  async function begin(list: string, period: number): Promise<void> {
    if (current.get(list) === period) return;
    const [latest] = await transcript.list(list, { before: Number.MAX_SAFE_INTEGER, limit: 1 });
    if (latest !== undefined && periodOf(latest.at) < period) await transcript.clear(list);
    current.set(list, period);
  }

  async function* backwards(list: string, from: number, until: number): AsyncIterable<string> {
    for (let before = Number.MAX_SAFE_INTEGER; ;) {
      const page = await transcript.list(list, { before, limit: pageSize });
      for (const { key, at } of page.toReversed()) if (at >= from && at < until) yield key;
      if (page.length < pageSize) return;
      before = page[0]?.n ?? 0;
    }
  }

  return {
    async add(log, name) {
      const period = periodOf(clock.now());
      const list = listOf(log, period);
      await begin(list, period);
      await transcript.append(list, name, { v: 1 });
    },
    async *newest(log) {
      const period = periodOf(clock.now());
      const seen = new Set<string>();
      for (const which of [period, period - 1]) {
        for await (const name of backwards(listOf(log, which), which * periodMs, (which + 1) * periodMs)) {
          if (seen.has(name)) continue;
          seen.add(name);
          yield name;
        }
      }
    },
  };
}
