import { token as makeToken, tokenNumber, tokensIn } from "../tokens.ts";
import { perform } from "./actions.ts";
import { isAnswer, type CallEntry, type FakeLog } from "./log.ts";
import type { World } from "./world.ts";

/**
 * A closed loop: each virtual user sends a message in its private chat, waits for the answer that carries its token,
 * then sends the next. Ends when every user has had its `turns`, or after `durationMs`.
 */
export interface DriveOptions {
  readonly users: number;
  readonly turns?: number;
  readonly durationMs?: number;
  /** Id of the first user; the others follow. Default 10000. */
  readonly firstUser?: number;
  /** Number of the first message in every chat: a later run over the same chats must go on counting. Default 1. */
  readonly firstTurn?: number;
  /** The text of a turn, with `{token}`, `{user}` and `{n}` filled in. */
  readonly template?: string;
  /** Makes the text instead of `template`; in process only. Must contain the token. */
  readonly text?: (user: number, n: number, token: string) => string;
  /** Tells whether a call answers the token; in process only. Default: its text contains the token. */
  readonly match?: (call: CallEntry, token: string) => boolean;
  /** After this long a turn counts as unanswered and the user goes on. Default 60000. */
  readonly turnTimeoutMs?: number;
  /** After the last answer the drive listens this long for duplicates. Default 200. */
  readonly lingerMs?: number;
}

export interface DriveReport {
  readonly sent: number;
  /** Distinct turns that got an answer, late ones included. */
  readonly answered: number;
  readonly unanswered: readonly string[];
  /** Answers to a token beyond its first message; edits of that message do not count. */
  readonly duplicates: number;
  /** First answers that came after the answer to a later message of the same chat. */
  readonly orderViolations: number;
  readonly elapsedMs: number;
  readonly turnsPerSecond: number;
  /** Milliseconds from the user's sending to the platform's acceptance of the answer, in order of answering. */
  readonly latencies: readonly number[];
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
}

interface VirtualUser {
  readonly id: number;
  n: number;
  highest: number;
  readonly sentAt: Map<string, number>;
  readonly answeredBy: Map<string, number>;
  waiting: { readonly token: string; readonly next: () => void } | undefined;
}

export async function drive(world: World, log: FakeLog, options: DriveOptions): Promise<DriveReport> {
  const first = options.firstUser ?? 10_000;
  const users = Array.from({ length: options.users }, (_, index): VirtualUser => {
    const n = (options.firstTurn ?? 1) - 1;
    return { id: first + index, n, highest: n, sentAt: new Map(), answeredBy: new Map(), waiting: undefined };
  });
  const latencies: number[] = [];
  let duplicates = 0;
  let orderViolations = 0;

  const note = (user: VirtualUser, call: CallEntry, answered: string) => {
    const messageId = call.messageId ?? 0;
    const before = user.answeredBy.get(answered);
    if (before !== undefined) {
      if (before !== messageId) duplicates += 1;
      return;
    }
    user.answeredBy.set(answered, messageId);
    const n = tokenNumber(answered);
    if (n < user.highest) orderViolations += 1;
    user.highest = Math.max(user.highest, n);
    latencies.push((call.acceptedAt ?? 0) - (user.sentAt.get(answered) ?? 0));
    if (user.waiting?.token === answered) user.waiting.next();
  };

  const stop = log.onAccepted((call) => {
    const user = users[(call.chat ?? 0) - first];
    if (user === undefined || call.bot !== world.me.id || !isAnswer(call)) return;
    for (const answered of answeredTokens(user, call, options)) note(user, call, answered);
  });

  const began = log.now();
  const until = began + (options.durationMs ?? Infinity);
  const last = (options.firstTurn ?? 1) - 1 + (options.turns ?? (options.durationMs === undefined ? 1 : Infinity));
  await Promise.all(
    users.map(async (user) => {
      while (user.n < last && log.now() < until) await turn(world, log, user, options);
    }),
  );
  const elapsedMs = log.now() - began;
  await new Promise((resolve) => setTimeout(resolve, options.lingerMs ?? 200));
  stop();

  const sorted = latencies.toSorted((a, b) => a - b);
  const quantile = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return {
    sent: users.reduce((sum, user) => sum + user.sentAt.size, 0),
    answered: latencies.length,
    unanswered: users.flatMap((user) => [...user.sentAt.keys()].filter((sent) => !user.answeredBy.has(sent))),
    duplicates,
    orderViolations,
    elapsedMs,
    turnsPerSecond: (latencies.length / elapsedMs) * 1_000,
    latencies,
    p50: quantile(0.5),
    p95: quantile(0.95),
    p99: quantile(0.99),
  };
}

function turn(world: World, log: FakeLog, user: VirtualUser, options: DriveOptions): Promise<void> {
  user.n += 1;
  const token = makeToken(user.id, user.n);
  const text = options.text?.(user.id, user.n, token) ?? fill(options.template ?? "hello {token}", user, token);
  return new Promise((resolve) => {
    const next = () => {
      clearTimeout(timer);
      user.waiting = undefined;
      resolve();
    };
    const timer = setTimeout(next, options.turnTimeoutMs ?? 60_000);
    user.waiting = { token, next };
    user.sentAt.set(token, log.now());
    perform(world, log, { do: "send", user: user.id, chat: user.id, content: text });
  });
}

/** Which of the user's messages a call answers. A custom matcher is asked about the awaited one only. */
function answeredTokens(user: VirtualUser, call: CallEntry, options: DriveOptions): string[] {
  if (options.match === undefined) return tokensIn(call.text ?? "").filter((found) => user.sentAt.has(found));
  const token = user.waiting?.token;
  return token !== undefined && options.match(call, token) ? [token] : [];
}

function fill(template: string, user: VirtualUser, token: string): string {
  return template.replaceAll("{token}", token).replaceAll("{user}", String(user.id)).replaceAll("{n}", String(user.n));
}
