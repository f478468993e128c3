/** The stored rows of a client agent beside the ones it always loads: read when an event needs them, written when they change. */
import { askKey } from "./ask-state.ts";
import type { Step } from "./events.ts";
import type { ConversationId } from "./ids.ts";
import type { InboundEvent } from "./message.ts";
import type { ActorContext } from "./ports.ts";
import { pastKeys } from "./past.ts";
import { daysToLoad, seenKey } from "./seen.ts";
import {
  awayCount,
  awayKey,
  mediaKey,
  quietKey,
  readPast,
  readQuiet,
  readSpilled,
  spilledKey,
  stateKeys,
  type AgentState,
  type QuietThread,
} from "./state.ts";
import { waiting } from "./waiting.ts";

/** So many may be overtaken on a bus that keeps no order. */
const overtaken = 16;

/** With the seen ids that are needed to judge an event, or any event of today. */
export async function withDays(
  context: ActorContext,
  state: AgentState,
  event: Pick<InboundEvent, "sentAt"> | undefined,
  now: number,
): Promise<AgentState> {
  const missing = daysToLoad(event, state.inbox.seen, now).filter((day) => state.seen[day] === undefined);
  if (missing.length === 0) return state;
  const keysOf = (day: string) =>
    Array.from({ length: state.inbox.seen[day]?.chunks ?? 0 }, (_, chunk) => seenKey(day, chunk));
  const rows = await context.load(missing.flatMap(keysOf));
  const days = missing.map(
    (day) => [day, keysOf(day).map((key) => (rows.get(key) ?? []) as readonly string[])] as const,
  );
  return { ...state, seen: { ...state.seen, ...Object.fromEntries(days) } };
}

/** With a conversation that may be put away. */
export async function withThread(
  context: ActorContext,
  state: AgentState,
  conversation: ConversationId,
): Promise<AgentState> {
  if (state.inbox.away === undefined || state.inbox.threads[conversation] !== undefined) return state;
  const key = quietKey(conversation);
  const rows = await context.load([key]);
  return { ...state, quiet: { [conversation]: readQuiet(rows.get(key)) } };
}

/** With all of what the history has no place for any more. */
export async function withPast(context: ActorContext, state: AgentState): Promise<AgentState> {
  const keys = pastKeys(state.history.past);
  if (keys.length === 0) return state;
  const rows = await context.load(keys);
  const past = keys.flatMap((key) => (rows.has(key) ? [[key, readPast(rows.get(key))] as const] : []));
  return { ...state, past: Object.fromEntries(past) };
}

export interface Archive {
  /** The conversations that are put away. */
  readonly quiet: Readonly<Record<ConversationId, QuietThread>>;
  /** The blobs that the history has no place for. */
  readonly media: readonly string[];
}

const loadAtOnce = 256;

const numbered = (count: number, keyOf: (n: number) => string) => Array.from({ length: count }, (_, n) => keyOf(n));

/** What the agent needs for /export and /forget only. */
export async function readArchive(context: ActorContext, { inbox, history }: AgentState): Promise<Archive> {
  const rowsOf = async (keys: readonly string[]) => {
    const found: unknown[] = [];
    for (let at = 0; at < keys.length; at += loadAtOnce)
      found.push(...(await context.load(keys.slice(at, at + loadAtOnce))).values());
    return found;
  };
  const listed = await rowsOf(numbered(awayCount(inbox), awayKey));
  const away = (listed as ConversationId[]).filter((conversation) => inbox.threads[conversation] === undefined);
  const quiet = (await rowsOf(away.map(quietKey))).flatMap((row) => readQuiet(row) ?? []);
  const media = await rowsOf(numbered(history.olderMedia ?? 0, mediaKey));
  return {
    quiet: Object.fromEntries(quiet.map((thread) => [thread.to.conversation, thread])),
    media: (media as string[][]).flat(),
  };
}

/** Of all rows that the agent has while nothing waits in it. */
export async function keysOf(context: ActorContext, state: AgentState): Promise<string[]> {
  const { inbox, history } = state;
  const { quiet } = await readArchive(context, state);
  return [
    ...stateKeys,
    ...Object.entries(inbox.seen).flatMap(([day, { chunks }]) => numbered(chunks, (chunk) => seenKey(day, chunk))),
    ...numbered(awayCount(inbox), awayKey),
    ...numbered(history.olderMedia ?? 0, mediaKey),
    ...pastKeys(history.past),
    ...Object.values(inbox.threads).flatMap(({ asks = [] }) => asks.map(({ id }) => askKey(id))),
    ...[...Object.keys(quiet), ...Object.keys(inbox.threads)].map((id) => quietKey(id as ConversationId)),
  ];
}

/** Of the messages that wait behind those of the inbox, the first and the last; all where one may have answered a question. */
export async function withSpilled(
  context: ActorContext,
  state: AgentState,
  conversations: readonly ConversationId[],
  all = false,
): Promise<AgentState> {
  const keys = conversations.flatMap((conversation) => {
    const { spilled, questions } = state.inbox.threads[conversation] ?? {};
    const { first = 0, next = 0 } = spilled ?? {};
    const isAnswered = questions?.some(({ reply }) => reply !== undefined) === true;
    const isWanted = (n: number) => all || isAnswered || n < first + 2 * waiting.together || n >= next - overtaken;
    const numbers = Array.from({ length: next - first }, (_, at) => first + at);
    return numbers.filter(isWanted).map((n) => spilledKey(conversation, n));
  });
  const missing = keys.filter((key) => state.spilled[key] === undefined);
  if (missing.length === 0) return state;
  const rows = await context.load(missing);
  const loaded = missing.flatMap((key) => (rows.has(key) ? [[key, readSpilled(rows.get(key))] as const] : []));
  return { ...state, spilled: { ...state.spilled, ...Object.fromEntries(loaded) } };
}

/** What the steps from one state to the other have to write. */
export function changedRows(
  before: AgentState,
  after: AgentState,
  steps: readonly Step[],
): { readonly put: Readonly<Record<string, unknown>>; readonly remove: readonly string[] } {
  const put: Record<string, unknown> = {};
  for (const key of stateKeys) if (after[key] !== before[key]) put[key] = after[key];
  for (const key of steps.flatMap(({ seen }) => seen.put)) {
    const [, day = "", chunk = ""] = key.split(":");
    put[key] = after.seen[day]?.[Number(chunk)];
  }
  for (const conversation of steps.flatMap(({ quiet }) => quiet)) {
    put[quietKey(conversation)] = after.quiet[conversation];
  }
  for (const key of steps.flatMap(({ spilled }) => spilled.put)) {
    const row = after.spilled[key];
    if (row !== undefined) put[key] = row;
  }
  const rows = new Map(steps.flatMap((step) => [...step.rows]));
  const gone = [...rows].flatMap(([key, value]) => (value === undefined ? [key] : []));
  for (const [key, value] of rows) if (value !== undefined) put[key] = value;
  const remove = [...steps.flatMap(({ seen, spilled }) => [...seen.remove, ...spilled.remove]), ...gone];
  return { put, remove: remove.filter((key) => !Object.hasOwn(put, key)) };
}
