/**
 * The ids an agent has seen, by the day of the message, for eight days: what makes a redelivered message harmless.
 *
 * A day's last digests stand in the inbox, which every message rewrites anyway; whenever they are {@link chunkSize} they move
 * to a key of their own, so that a message costs the same whatever came before it. Today's and yesterday's are loaded with
 * the agent, another day's when a message of that day arrives.
 */
import { digestOf } from "./ids.ts";
import type { InboundEvent } from "./message.ts";

const dayMs = 86_400_000;
/** Days of the calendar: eight whole days before any moment of today. */
const keptDays = 9;
const chunkSize = 32;

/** By day (days since the epoch, as text): the chunks stored under keys of their own, and the digests that came after. */
export type SeenIndex = Readonly<Record<string, { readonly chunks: number; readonly open: readonly string[] }>>;
/** The stored chunks of the loaded days. */
export type SeenDays = Readonly<Record<string, readonly (readonly string[])[]>>;

export function dayOf(ms: number): number {
  return Math.floor(ms / dayMs);
}

export function seenKey(day: string, chunk: number): string {
  return `seen:${day}:${chunk}`;
}

/** The days that must be loaded before an event can be judged. `now` is when it is judged. */
export function daysToLoad(event: Pick<InboundEvent, "sentAt"> | undefined, index: SeenIndex, now: number): string[] {
  const today = dayOf(now);
  const wanted = new Set([today - 1, today, today + 1]);
  if (event !== undefined) {
    // Where the platform gives no time of its own, the first delivery may have been on any of the days.
    if (event.sentAt === undefined) for (let back = 2; back < keptDays; back++) wanted.add(today - back);
    else wanted.add(homeDay(event.sentAt, now));
  }
  return [...wanted].map(String).filter((day) => (index[day]?.chunks ?? 0) > 0);
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

export function isSeen({ inbox, seen }: { inbox: { seen: SeenIndex }; seen: SeenDays }, id: string): boolean {
  const digest = digestOf(id);
  return (
    Object.values(inbox.seen).some(({ open }) => open.includes(digest)) ||
    Object.values(seen).some((chunks) => chunks.some((chunk) => chunk.includes(digest)))
  );
}

/** Adds an id; forgets days that are over. `put` are the keys to write, `remove` those to delete. */
export function addSeen(
  index: SeenIndex,
  days: SeenDays,
  seen: { readonly id: string; readonly sentAt: number | undefined },
  now: number,
): { index: SeenIndex; days: SeenDays; put: string[]; remove: string[] } {
  const over = new Set(Object.keys(index).filter((day) => Number(day) <= dayOf(now) - keptDays));
  const remove = [...over].flatMap((day) =>
    Array.from({ length: index[day]?.chunks ?? 0 }, (_, chunk) => seenKey(day, chunk)),
  );
  const keep = <Value>(of: Readonly<Record<string, Value>>) =>
    over.size === 0 ? of : Object.fromEntries(Object.entries(of).filter(([day]) => !over.has(day)));

  const day = String(homeDay(seen.sentAt, now));
  const { chunks, open } = index[day] ?? { chunks: 0, open: [] };
  const next = [...open, digestOf(seen.id)];
  if (next.length < chunkSize) {
    return { index: { ...keep(index), [day]: { chunks, open: next } }, days: keep(days), put: [], remove };
  }
  return {
    index: { ...keep(index), [day]: { chunks: chunks + 1, open: [] } },
    days: { ...keep(days), [day]: [...(days[day] ?? []), next] },
    put: [seenKey(day, chunks)],
    remove,
  };
}
