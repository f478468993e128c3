/** People who write when they please, whether or not the answer before has come: what a waiting crowd would hide shows. */
import { setTimeout as sleep } from "node:timers/promises";
import { token, tokensIn } from "../fakes/tokens.ts";
import type { TelegramDriver } from "../fakes/telegram/driver.ts";

export interface Arrivals {
  readonly perSecond: number;
  readonly durationMs: number;
  /** Gaps between messages as of independent people; even unless given. */
  readonly seed?: number;
  /** Chats take turns. */
  readonly firstChat: number;
  readonly chats: number;
  /** Number of the first message; a later run over the same chats must go on counting. */
  readonly firstTurn: number;
}

export interface Outcome {
  readonly sent: number;
  /** Messages that an answer names, once each. */
  readonly answered: number;
  /** From the person's sending to the platform's acceptance of the answer. */
  readonly latencies: readonly number[];
}

/** Sends at the pace that is asked for. The answers stand in the fake's log: see {@link outcomeOf}. */
export async function pour(people: TelegramDriver, arrivals: Arrivals): Promise<number> {
  const { perSecond, durationMs, seed, firstChat, chats, firstTurn } = arrivals;
  const random = seed === undefined ? undefined : randomOf(seed);
  const began = performance.now();
  const sends: Promise<unknown>[] = [];
  for (let due = 0, n = 0; due < durationMs; n += 1) {
    const wait = began + due - performance.now();
    if (wait > 1) await sleep(wait);
    const chat = firstChat + (n % chats);
    const text = `hello ${token(chat, firstTurn + Math.floor(n / chats))}`;
    sends.push(people.user(chat).sends(chat, text));
    due += (1_000 / perSecond) * (random === undefined ? 1 : -Math.log(1 - random()));
  }
  await Promise.all(sends);
  return sends.length;
}

/** What became of the messages of some chats, as far as the fake's log reaches. Waits until all are answered, or `patienceMs`. */
export async function outcomeOf(people: TelegramDriver, arrivals: Arrivals, patienceMs = 15_000): Promise<Outcome> {
  const { firstChat, chats } = arrivals;
  const isOurs = (chat: number | undefined) => chat !== undefined && chat >= firstChat && chat < firstChat + chats;
  const sentAt = new Map<string, number>();
  for (const { chat, text = "", createdAt } of await people.updates())
    if (isOurs(chat)) for (const found of tokensIn(text)) sentAt.set(found, createdAt);
  const latencies = new Map<string, number>();
  for (const until = performance.now() + patienceMs; ; await sleep(1_000)) {
    for (const { chat, text = "", acceptedAt } of await people.calls()) {
      if (acceptedAt === undefined || !isOurs(chat)) continue;
      for (const found of tokensIn(text)) {
        const at = sentAt.get(found);
        if (at !== undefined && !latencies.has(found)) latencies.set(found, acceptedAt - at);
      }
    }
    if (latencies.size >= sentAt.size || performance.now() > until) break;
  }
  return { sent: sentAt.size, answered: latencies.size, latencies: [...latencies.values()] };
}

/** The same numbers for the same seed, in [0, 1): mulberry32. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
