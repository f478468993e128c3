/**
 * The ids an agent has seen, by the day of the message, for eight days: what makes a redelivered message harmless.
 *
 * A day's digests are stored in chunks of their own keys, so that accepting a message rewrites one small chunk whatever came
 * before it. Today's and yesterday's are loaded with the agent, another day's when a message of that day arrives.
 */
import { digestOf } from "./ids.ts";
import type { InboundEvent } from "./message.ts";

const dayMs = 86_400_000;
/** Days of the calendar: eight whole days before any moment of today. */
const keptDays = 9;
const chunkSize = 32;

/** Chunks per day (days since the epoch, as text), as stored: says which keys there are. */
export type SeenIndex = Readonly<Record<string, number>>;
/** The loaded days' chunks of digests. */
export type SeenDays = Readonly<Record<string, readonly (readonly string[])[]>>;

export function dayOf(ms: number): number {
  return Math.floor(ms / dayMs);
}

export function seenKey(day: string, chunk: number): string {
  return `seen:${day}:${chunk}`;
}

/** The days that must be loaded before an event can be judged. `now` is when it is judged. */
export function daysToLoad(event: InboundEvent | undefined, index: SeenIndex, now: number): string[] {
  const today = dayOf(now);
  const wanted = new Set([today - 1, today, today + 1]);
  if (event !== undefined) {
    // Where the platform gives no time of its own, the first delivery may have been on any of the days.
    if (event.sentAt === undefined) for (let back = 2; back < keptDays; back++) wanted.add(today - back);
    else wanted.add(homeDay(event.sentAt, now));
  }
  return [...wanted].map(String).filter((day) => (index[day] ?? 0) > 0);
}

/** The day an event is kept under: its own, so that each delivery of it looks in the same place. */
function homeDay(sentAt: number | undefined, now: number): number {
  const today = dayOf(now);
  const day = sentAt === undefined ? today : dayOf(sentAt);
  return day > today - keptDays && day <= today + 1 ? day : today;
}

/** False for an event of a day whose ids are forgotten. */
export function isRecent(sentAt: number | undefined, now: number): boolean {
  return sentAt === undefined || dayOf(sentAt) > dayOf(now) - keptDays;
}

export function isSeen(days: SeenDays, id: string): boolean {
  const digest = digestOf(id);
  return Object.values(days).some((chunks) => chunks.some((chunk) => chunk.includes(digest)));
}

/** Adds an id; forgets days that are over. `changed` is the key to write, `removed` those to delete. */
export function addSeen(
  index: SeenIndex,
  days: SeenDays,
  seen: { readonly id: string; readonly sentAt: number | undefined },
  now: number,
): { index: SeenIndex; days: SeenDays; changed: string; removed: string[] } {
  const day = String(homeDay(seen.sentAt, now));
  const chunks = days[day] ?? [];
  const last = chunks.at(-1);
  const full = last === undefined || last.length >= chunkSize;
  const next = full ? [...chunks, [digestOf(seen.id)]] : [...chunks.slice(0, -1), [...last, digestOf(seen.id)]];

  const over = Object.keys(index).filter((key) => Number(key) <= dayOf(now) - keptDays);
  const removed = over.flatMap((key) => Array.from({ length: index[key] ?? 0 }, (_, chunk) => seenKey(key, chunk)));
  const keep = <Value>(of: Readonly<Record<string, Value>>) =>
    over.length === 0 ? of : Object.fromEntries(Object.entries(of).filter(([key]) => !over.includes(key)));
  return {
    index: { ...keep(index), [day]: next.length },
    days: { ...keep(days), [day]: next },
    changed: seenKey(day, next.length - 1),
    removed,
  };
}
