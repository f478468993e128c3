/**
 * Calls of tools that wait for somebody's word. What waits is kept with the agent: an entry in its conversation, small, and a row
 * with the run's state, which is read once, by the turn that goes on with it. The word is a message like any other, in its
 * place among the person's: a press of one of the two buttons, or an operator's note.
 */
import { createHash } from "node:crypto";
import type { AskedCall, Pause } from "./agent.ts";
import { askKey, type AskRow, type OpenAsk } from "./ask-state.ts";
import type { Draft } from "./draft.ts";
import type { AgentEvent, Reply } from "./events.ts";
import type { AgentId, ConversationId, MessageId, TurnId } from "./ids.ts";
import type { Answer, AskedFor, InboundMessage } from "./message.ts";
import { noticeText } from "./notices.ts";
import type { Thread } from "./state.ts";

type Expired = Extract<AgentEvent, { type: "expired" }>;

/** Of one conversation at once: an older one is given up. */
const mostOpen = 8;
/** Characters of one call as people are shown it. */
const longestCall = 600;

/** The same for every attempt of the turn, and of no other turn that ever was. */
export function askIdOf(agent: AgentId, turn: TurnId, messages: readonly MessageId[]): string {
  return createHash("sha256")
    .update([agent, turn, ...messages].join("\n"))
    .digest("base64url")
    .slice(0, 16);
}

/** What people are shown of a call: its name and its arguments, never rendered as markup. */
export function describeCalls(calls: readonly AskedCall[]): string {
  return calls
    .map(({ tool, args }) => `${tool} ${args}`)
    .map((line) => (line.length > longestCall ? `${line.slice(0, longestCall)}…` : line))
    .join("\n");
}

/** What the person is told, and asked where the word is theirs. */
export function questionOf(
  said: Answer["parts"],
  id: string,
  { calls, by, unshown }: Pause,
  locale: string | undefined,
): Answer {
  if (unshown === true) {
    const text = noticeText("reviewWanted", locale);
    return { parts: [...said, { kind: "text" as const, text, format: "plain" as const }] };
  }
  const words = noticeText(by === "operator" ? "approvalByOperator" : "approvalWanted", locale);
  const parts = [
    ...said,
    { kind: "text" as const, text: `${words}\n\n${describeCalls(calls)}`, format: "plain" as const },
  ];
  if (by === "operator") return { parts };
  const buttons = [
    { id: `approve:${id}`, label: noticeText("approve", locale) },
    { id: `deny:${id}`, label: noticeText("deny", locale) },
  ];
  return { parts, buttons };
}

export interface Decision {
  readonly ask: string;
  readonly approved: boolean;
  readonly note?: string;
}

/** The word that a message is, whoever's; undefined for any other message. */
export function decisionOf({ message }: InboundMessage): Decision | undefined {
  const [press, more] = message.parts;
  if (press?.kind !== "press") return undefined;
  const [, word, ask] = /^(approve|deny):([\w-]{16})$/.exec(press.button) ?? [];
  if (ask === undefined) return undefined;
  return { ask, approved: word === "approve", ...(more?.kind === "text" && { note: more.text }) };
}

export function openAskOf(thread: Thread | undefined, id: string): OpenAsk | undefined {
  return thread?.asks?.find((ask) => ask.id === id);
}

/** Why this word does not count; undefined where it does. */
export function objection(thread: Thread, of: InboundMessage, { ask }: Decision): string | undefined {
  const open = openAskOf(thread, ask);
  if (open === undefined) return "already decided";
  const isOperator = of.note !== undefined;
  if (isOperator) return undefined;
  return open.by === "person" && open.of.includes(of.participant.id) ? undefined : "not theirs to decide";
}

/** How what is said of it names it. */
export function askedForBy({ id, by, from = [] }: OpenAsk): AskedFor {
  return { id, by, from };
}

export function openAskIn(draft: Draft, conversation: ConversationId, ask: OpenAsk, row: AskRow): void {
  const asks = [...(draft.thread(conversation)?.asks ?? []), ask];
  for (const old of asks.slice(0, -mostOpen)) draft.row(askKey(old.id), undefined);
  draft.row(askKey(ask.id), row);
  draft.patch(conversation, { asks: asks.slice(-mostOpen) });
}

/** False where it is not open. */
export function closeAsk(draft: Draft, conversation: ConversationId, id: string): boolean {
  const thread = draft.thread(conversation);
  if (openAskOf(thread, id) === undefined) return false;
  const rest = thread?.asks?.filter((ask) => ask.id !== id) ?? [];
  draft.row(askKey(id), undefined);
  draft.patch(conversation, { asks: rest.length === 0 ? undefined : rest });
  return true;
}

export function closeAsks(draft: Draft, conversation: ConversationId): void {
  for (const { id } of draft.thread(conversation)?.asks ?? []) closeAsk(draft, conversation, id);
}

/**
 * Nobody has said anything in time. "busy" where that is not known yet: a word that waits for its turn has come in time, and the
 * turn that asks may not have ended.
 */
export function expire(draft: Draft, { agent, now, conversation, ask: id, turn: asking }: Expired): Reply {
  const thread = draft.thread(conversation);
  if (thread === undefined) return "stale";
  if (asking !== undefined && thread.turn?.id === asking) return "busy";
  const waiting = [...thread.pending, ...draft.spilled(conversation).map(([, message]) => message)];
  if (waiting.some((message) => isWordOn(id, message, thread))) return "busy";
  const open = openAskOf(thread, id);
  if (open === undefined || !closeAsk(draft, conversation, id)) return "stale";
  const turn = (draft.state.history.items.at(-1)?.turn ?? "t0") as TurnId;
  const { items, summary } = draft.state.history;
  const text = "(nobody decided in time: what waited for a word was not done)";
  draft.history([...items, { role: "note", text, at: now, turn }], summary);
  draft.answer(agent, conversation, [], { parts: [], notice: "approvalExpired" }, now, { decides: askedForBy(open) });
  return "accepted";
}

function isWordOn(id: string, message: InboundMessage, thread: Thread): boolean {
  const decision = decisionOf(message);
  return decision?.ask === id && objection(thread, message, decision) === undefined;
}
