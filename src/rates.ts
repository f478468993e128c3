/**
 * How fast people write, and bots that answer each other: here by what comes to this process, anew with each. Where there are
 * replicas, `adapters/redis` counts for all of them.
 */
import type { Clock } from "./ports.ts";
import { createRecent } from "./recent.ts";

const minuteMs = 60_000;

export interface Rates {
  /**
   * A message of `key`, of which so many may come in a minute, all at once or spread.
   * @returns the milliseconds until the next one may come where this is too many, else 0.
   */
  take(key: string, perMinute: number): number | Promise<number>;
  /** What was taken is not used. */
  giveBack(key: string): void;
}

/** Of this process alone: known at once. */
interface OwnRates extends Rates {
  take(key: string, perMinute: number): number;
}

/** A bucket per key, filled evenly; a full one is forgotten. */
export function createRates(clock: Clock): OwnRates {
  const buckets = createRecent<string, { readonly left: number; readonly at: number }>(clock, minuteMs);
  return {
    take(key, perMinute) {
      if (perMinute === Infinity) return 0;
      const now = clock.monotonic();
      const { left, at } = buckets.get(key) ?? { left: perMinute, at: now };
      const filled = Math.min(perMinute, left + ((now - at) / minuteMs) * perMinute);
      const rest = filled >= 1 ? filled - 1 : filled;
      buckets.set(key, { left: rest, at: now });
      return filled >= 1 ? 0 : Math.ceil(((1 - filled) / perMinute) * minuteMs);
    },
    giveBack(key) {
      const bucket = buckets.get(key);
      if (bucket !== undefined) buckets.set(key, { ...bucket, left: bucket.left + 1 });
    },
  };
}

/** Once per key within `ms`. */
export function createOnce(clock: Clock, ms: number): (key: string) => boolean {
  const told = createRecent<string, number>(clock, ms);
  return (key) => {
    const now = clock.monotonic();
    if (now - (told.get(key) ?? -Infinity) < ms) return false;
    told.set(key, now);
    return true;
  };
}

/** So many messages of bots are answered in a row; then a person has to write, or bots to be silent for the window. */
export const loop = { most: 8, windowMs: 10 * minuteMs } as const;

export interface LoopGuard {
  /** A person wrote in the conversation. */
  person(conversation: string): void;
  /** A bot did: its how manieth message in a row it is, from 1 on. */
  bot(conversation: string): number | Promise<number>;
}

/** Of this process alone: known at once. */
interface OwnLoopGuard extends LoopGuard {
  bot(conversation: string): number;
}

export function createLoopGuard(clock: Clock): OwnLoopGuard {
  const rows = createRecent<string, { readonly count: number; readonly at: number }>(clock, loop.windowMs);
  return {
    person: (conversation) => rows.delete(conversation),
    bot(conversation) {
      const at = clock.monotonic();
      const row = rows.get(conversation);
      const count = row === undefined || at - row.at >= loop.windowMs ? 1 : row.count + 1;
      rows.set(conversation, { count, at });
      return count;
    },
  };
}
