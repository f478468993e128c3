/** How turns and deliveries end: the reducer's part that answers, remembers and clears. */
import type { HistoryItem, ReadPart } from "./agent.ts";
import { askedForBy, closeAsk, decisionOf, openAskIn, openAskOf } from "./asks.ts";
import { choicesOf } from "./choices.ts";
import type { Draft } from "./draft.ts";
import type { AgentEvent, Once, Reply } from "./events.ts";
import { digestOf, type AgentId, type ConversationId, type MessageId, type TurnId } from "./ids.ts";
import {
  blobsIn,
  describeAnswer,
  fromPeople,
  type Answer,
  type AskedFor,
  type InboundMessage,
  type InboundSaid,
  type Told,
} from "./message.ts";
import { keepNotes } from "./memory.ts";
import type { SetAside } from "./ports.ts";
import type { Question } from "./question-state.ts";
import { isReplyPress, questionOver } from "./questions.ts";
import { add, heardItem, itemChars, noteItem } from "./remembering.ts";
import { advance, batchOf, repliesIn, restart } from "./scheduling.ts";
import { isSeen } from "./seen.ts";
import { nobody, threadsOf, type StoppedTurn } from "./state.ts";
import { askForPerson } from "./takeover.ts";

/** Messages that a call which waits for a word is known to come of. */
const mostFrom = 64;
/** How often a turn may die without a word (with its process, mostly) before the person is told that it failed. */
const maxDeaths = 10;
/** Characters kept of what senders tell of the conversation so far: too few to be folded at once. */
const toldChars = 32_000;

type Of<Type extends AgentEvent["type"]> = Extract<AgentEvent, { type: Type }>;

/** A turn is over, well or not. Only the attempt that is the active one counts; its messages are answered with this write. */
export function ended(draft: Draft, event: Of<"finished" | "failed">): Reply {
  const { conversation, agent, now } = event;
  const thread = draft.thread(conversation);
  if (thread?.turn?.id !== event.turn || thread.turn.attempt !== event.attempt) return "stale";
  const given = repliesIn(thread);
  // There may have been no room for an answer to a question, which has reached its call all the same.
  const behind = draft.spilled(conversation).filter(([, { id }]) => given.has(id));
  const waiting = [...thread.pending, ...behind.map(([, message]) => message)];
  const replies = heardOf(given, event);
  const over = waiting.filter((one) => given.has(one.id) && !replies.has(one.id) && isReplyPress(one));
  const covered = waiting.filter(({ id }) => event.messages.includes(id) || replies.has(id));
  for (const [key, message] of behind)
    if (covered.includes(message) || over.includes(message)) draft.respill(key, undefined);
  // Who did not ask is told something else.
  const notice = event.type === "failed" && fromPeople(covered).length === 0 ? "unsaid" : undefined;
  const answer: Answer = event.type === "finished" ? event.answer : { parts: [], notice: notice ?? event.notice };
  draft.patch(conversation, {
    pending: thread.pending.filter((message) => !covered.includes(message) && !over.includes(message)),
    turn: undefined,
    questions: undefined,
  });
  const once = event.type === "failed" && notice === undefined ? event.once : undefined;
  draft.setAside(
    conversation,
    over.map(({ id }) => id),
    questionOver,
    now,
  );
  const decided = covered.flatMap((message) => decisionOf(message) ?? []);
  if (once !== undefined && decided.length === 0 && toldBefore(draft, conversation, once, thread.told)) {
    const gone = covered.map(({ id }) => id);
    draft.setAside(conversation, gone, once.rule, now);
    advance(draft, conversation, event);
    return "accepted";
  }
  // It has a turn of its own, and was still open when that began.
  const [was] = decided.flatMap(({ ask }) => openAskOf(thread, ask) ?? []);
  for (const { ask } of decided) closeAsk(draft, conversation, ask);
  const decides = was === undefined ? undefined : askedForBy(was);
  const asks = event.type === "finished" ? open(draft, event, covered, decides?.from) : undefined;
  const text = event.type === "finished" ? describeAnswer(answer) : "(no answer: the model failed)";
  draft.media(blobsIn(answer.parts));
  const { read, outside } = event.type === "finished" ? event : {};
  // The gateway's own commands are nothing that the agent was told.
  if (thread.turn.command === undefined || decided.length > 0)
    remember(draft, event, covered, { text, read, outside, replies });
  if (event.type === "finished" && event.notes !== undefined) keepNotes(draft, event.notes, thread.to, now);
  draft.answer(agent, conversation, covered, answer, now, { ...(asks && { asks }), ...(decides && { decides }) });
  if (event.type === "finished" && event.listed === true)
    draft.patch(conversation, { choices: choicesOf(answer, covered) });
  if (event.type === "finished" && event.wanted !== undefined)
    askForPerson(draft, { agent, conversation, now, wanted: event.wanted, answer });
  advance(draft, conversation, event);
  return "accepted";
}

/** In this period; else it is from now on. */
function toldBefore(draft: Draft, conversation: ConversationId, { period }: Once, told: string | undefined): boolean {
  if (told === period) return true;
  draft.patch(conversation, { told: period });
  return false;
}

/** Of what answered questions, what reached them. Where nobody waited any more it is said to the agent like anything else, or is nothing. */
function heardOf(
  given: ReadonlyMap<MessageId, Question>,
  event: Of<"finished" | "failed">,
): ReadonlyMap<MessageId, Question> {
  const { heard } = event.type === "finished" ? event : {};
  // What an earlier attempt asked may have been heard by that one, whose call is not made again.
  const isHeard = ({ id, attempt }: Question) => heard === undefined || heard.includes(id) || attempt !== event.attempt;
  return new Map([...given].filter(([, question]) => isHeard(question)));
}

/** The run waits for somebody's word. @param before what led to an earlier one that it waited for. */
function open(
  draft: Draft,
  { conversation, turn, asked }: Of<"finished">,
  covered: readonly InboundMessage[],
  before: readonly MessageId[] = [],
): AskedFor | undefined {
  if (asked === undefined) return undefined;
  const { id, by, state } = asked;
  const of = [...new Set(covered.map(({ participant }) => participant.id))];
  const from = [...new Set([...before, ...fromPeople(covered).map((message) => message.id)])].slice(-mostFrom);
  const ask = { id, turn, by, of, from };
  openAskIn(draft, conversation, ask, { v: 1, state });
  return askedForBy(ask);
}

function remember(
  draft: Draft,
  { turn, now }: { readonly turn: TurnId; readonly now: number },
  messages: readonly InboundMessage[],
  {
    text,
    read = [],
    outside,
    replies,
  }: {
    readonly text: string;
    readonly read: readonly ReadPart[] | undefined;
    readonly outside: true | undefined;
    readonly replies: ReadonlyMap<MessageId, Question>;
  },
): void {
  const items = messages.flatMap((of): HistoryItem[] => {
    if (of.note !== undefined) return [noteItem(of, of.note.topic, turn)];
    const item = heardItem(of, turn, read);
    const told = newest(of.message.before ?? [], draft.traits.historyItems).map((one) => ({
      ...one,
      at: item.at,
      turn,
    }));
    const asked = replies.get(of.id)?.text;
    const question = asked === undefined ? [] : [{ role: "agent", text: asked, at: item.at, turn } as const];
    return [...told, ...question, item];
  });
  const marked = outside === undefined ? {} : { outside };
  const said = { role: "agent", text: text.slice(0, itemChars), at: now, turn, ...marked } as const;
  add(draft, [...items, said]);
}

/** The agent writes first: in the conversation's next place, whatever waits or runs, and remembered as its own words. */
export function said(draft: Draft, agent: AgentId, event: InboundSaid, now: number): void {
  const { id, address: to, answer, listed, participant } = event;
  const { locale } = participant;
  draft.media(blobsIn(answer.parts));
  // Of a name of its own: a fold that is under way ends before it.
  const turn = `said.${digestOf(id)}` as TurnId;
  add(draft, [{ role: "agent", text: describeAnswer(answer).slice(0, itemChars), at: now, turn }]);
  const language = locale === undefined ? {} : { locale };
  draft.put({ v: 1, agent, to, seq: 1, answers: [], requests: [id], ...language, answer, at: now });
  if (listed === true) draft.patch(to.conversation, { choices: choicesOf(answer, [event]) });
}

function newest(told: readonly Told[], most: number): readonly Told[] {
  const clipped = told.slice(-most).map(({ role, text }) => ({ role, text: text.slice(0, itemChars) }));
  let left = toldChars;
  const from = clipped.findLastIndex(({ text }) => (left -= text.length) < 0);
  return clipped.slice(from + 1);
}

/** Nobody runs it any more, and whoever looks next need not wait for a sign of life. */
export function abandoned(draft: Draft, { conversation, turn, attempt }: Of<"abandoned">): Reply {
  const active = draft.thread(conversation)?.turn;
  if (active?.id !== turn || active.attempt !== attempt) return "stale";
  draft.patch(conversation, { turn: { ...active, owner: nobody } });
  return "accepted";
}

export function silent(draft: Draft, event: Of<"silent">): Reply {
  for (const { conversation, turn, attempt } of event.turns) {
    const thread = draft.thread(conversation);
    const active = thread?.turn;
    if (thread === undefined || active?.id !== turn || active.attempt !== attempt) continue;
    if ((active.deaths ?? 0) >= maxDeaths) {
      const messages = batchOf(thread).map((message) => message.id);
      draft.effects.push({ kind: "cancel", conversation, turn, attempt });
      ended(draft, { ...event, type: "failed", conversation, turn, attempt, messages, notice: "failed" });
    } else restart(draft, conversation, event, (active.deaths ?? 0) + 1);
  }
  // What could not start when it should have.
  if (draft.state.inbox.forward === undefined)
    for (const [conversation] of threadsOf(draft.state.inbox)) advance(draft, conversation, event);
  return draft.effects.length === 0 ? "duplicate" : "accepted";
}

export function journaled(draft: Draft, entries: readonly SetAside[]): Reply {
  const { aside } = draft.state.inbox;
  const known = new Set(entries);
  const owed = aside?.filter((entry) => !known.has(entry));
  if (aside === undefined || owed?.length === aside.length) return "duplicate";
  const { aside: _aside, ...inbox } = draft.state.inbox;
  draft.replaceInbox(owed === undefined || owed.length === 0 ? inbox : { ...inbox, aside: owed });
  return "accepted";
}

/** Turns that were called off are owed to those who work beside them. */
export function stopped(draft: Draft, turns: readonly StoppedTurn[]): Reply {
  draft.inbox({ stopped: [...(draft.state.inbox.stopped ?? []), ...turns] });
  return "accepted";
}

export function stopsTold(draft: Draft, turns: readonly StoppedTurn[]): Reply {
  const { stopped: before, ...inbox } = draft.state.inbox;
  const known = new Set(turns);
  const owed = before?.filter((one) => !known.has(one)) ?? [];
  if (owed.length === (before ?? []).length) return "duplicate";
  draft.replaceInbox(owed.length === 0 ? inbox : { ...inbox, stopped: owed });
  return "accepted";
}

export function settled(draft: Draft, upTo: Of<"settled">["upTo"]): Reply {
  const last = new Map(upTo.map(({ conversation, seq }) => [conversation, seq]));
  const entries = draft.state.outbox.entries.filter((entry) => entry.seq > (last.get(entry.to.conversation) ?? 0));
  if (entries.length === draft.state.outbox.entries.length) return "duplicate";
  draft.outbox(entries);
  return "accepted";
}

/**
 * An answer was given up: the agent remembers it, and the person is told once, unless it was the telling that failed, or nobody
 * had asked.
 */
export function undelivered(draft: Draft, event: Of<"undelivered">): Reply {
  const { agent, to, seq } = event.receipt;
  if (!draft.knows(to.conversation)) return "stale";
  draft.open(to);
  const thread = draft.thread(to.conversation);
  if (thread?.failed?.includes(seq) === true) return "duplicate";
  draft.patch(to.conversation, { failed: [...(thread?.failed ?? []), seq].slice(-8) });
  if (!event.receipt.notice) {
    const { items, summary } = draft.state.history;
    const turn = items.at(-1)?.turn ?? ("t0" as TurnId);
    const text = "(an answer could not be delivered)";
    draft.history([...items, { role: "note", text, at: event.now, turn }], summary);
    if (event.receipt.unasked === true) return "accepted";
    draft.answer(agent, to.conversation, [], { parts: [], notice: "undelivered" }, event.now);
  }
  return "accepted";
}

export function resend(draft: Draft, { id, entry, now }: Of<"resend">): Reply {
  if (isSeen(draft.state, id)) return "duplicate";
  if (!draft.knows(entry.to.conversation)) return "stale";
  draft.open(entry.to);
  draft.markSeen(id, undefined, now);
  draft.put({ ...entry, at: now });
  return "accepted";
}

export function summarized(draft: Draft, through: TurnId, summary: string): Reply {
  const last = draft.state.history.items.findLastIndex((item) => item.turn === through);
  if (last === -1) return "stale";
  draft.archive(draft.state.history.items.slice(0, last + 1));
  draft.history(draft.state.history.items.slice(last + 1), summary);
  return "accepted";
}
