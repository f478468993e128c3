/**
 * One person, several agents: the reducer's part that joins a person's identities to one agent and takes them apart again.
 *
 * The agent of the identity that issued a code is the person's; a joiner's forwards to it, in one hop. Each step is one write of
 * one agent and may come again; what is in doubt between two of them stands still until it is known.
 */
import { closeAsks } from "./asks.ts";
import type { Draft } from "./draft.ts";
import type { Moment, Reply } from "./events.ts";
import { digestOf, type AgentId, type ConversationId, type MessageId, type TurnId } from "./ids.ts";
import type { LinkEvent, Serving } from "./link-events.ts";
import { mostJoiners, placeOf, type Leaving } from "./link-state.ts";
import type { InboundMessage, NoticeKey, NoticeValues } from "./message.ts";
import { mergeNotes, notesOf } from "./notes.ts";
import { insert } from "./order.ts";
import { advance, end, takeEdits } from "./scheduling.ts";
import { isSeen } from "./seen.ts";
import { isQuiet, threadsOf, type Inbox, type Thread } from "./state.ts";
import { letGo } from "./takeover.ts";

type Of<Type extends LinkEvent["type"]> = Moment & Extract<LinkEvent, { type: Type }>;

export function linkStep(draft: Draft, event: Moment & LinkEvent): Reply {
  switch (event.type) {
    case "joining":
      return joining(draft, event);
    case "joined":
      return joined(draft, event);
    case "declined":
      if (!isJoining(draft, event.link)) return "duplicate";
      without(draft, "forward");
      return "accepted";
    case "forwarded":
      if (isSeen(draft.state, event.event.id)) return "duplicate";
      draft.markSeen(event.event.id, event.event.sentAt, event.now);
      return "accepted";
    case "linked":
      return linked(draft, event);
    case "unlinked":
      return unlinked(draft, event);
    case "left":
      return left(draft, event);
    case "released":
      return released(draft, event);
    case "forgotten":
      return forgotten(draft, event);
  }
}

function joining(draft: Draft, event: Of<"joining">): Reply {
  const { conversation, command, link, to, issued, now } = event;
  const { forward, joiners, leaving } = draft.state.inbox;
  if (forward !== undefined) return forward.link === link ? "duplicate" : "refused";
  const thread = servedBy(draft, event);
  if (thread === undefined) return "stale";
  // Nobody would forward twice.
  if (joiners !== undefined) return "refused";
  const others = threadsOf(draft.state.inbox).filter(([id]) => id !== conversation);
  // What waits for a word would wait for ever.
  if (threadsOf(draft.state.inbox).some(([, { asks }]) => asks !== undefined)) return "busy";
  if (leaving !== undefined || !canGo(thread) || !others.every(([, other]) => isStill(other))) return "busy";
  takeEdits(draft, conversation, now);
  draft.inbox({ forward: { to, link, joining: command, ...(issued === undefined ? {} : { issued }) } });
  return "accepted";
}

function isJoining(draft: Draft, link: string): boolean {
  const { forward } = draft.state.inbox;
  return forward?.link === link && forward.joining !== undefined;
}

/** What is left here: the ids it has seen, and how far its answers are counted. */
function joined(draft: Draft, { link }: Of<"joined">): Reply {
  const { forward } = draft.state.inbox;
  if (forward === undefined || !isJoining(draft, link)) return "duplicate";
  const threads = threadsOf(draft.state.inbox).map(([id, { to, seq, failed }]) => [
    id,
    { to, pending: [], seq, ...(failed === undefined ? {} : { failed }) },
  ]);
  draft.inbox({ forward: { to: forward.to, link }, threads: Object.fromEntries(threads) });
  draft.forget();
  return "accepted";
}

function linked(draft: Draft, event: Of<"linked">): Reply {
  const { agent, link, from, command, issued, now } = event;
  const { forward, joiners = {} } = draft.state.inbox;
  const no = `refused ${link}` as MessageId;
  if (joiners[from]?.link === link || isSeen(draft.state, link)) return "duplicate";
  if (isSeen(draft.state, no)) return "refused";
  if (forward !== undefined || from in joiners || Object.keys(joiners).length >= mostJoiners) {
    // For good: an attempt that was overtaken must not succeed where a later one did not.
    draft.markSeen(no, undefined, now);
    return "accepted";
  }
  draft.markSeen(link as MessageId, undefined, now);
  draft.inbox({ joiners: { ...joiners, [from]: { link } } });
  remember(draft, event);
  // It was answered to the joiner's past already: now that is a part of this one.
  if (event.messages.some(({ message }) => message.command?.name === "reset")) draft.reset();
  for (const { to, seq, held, choice, at } of event.places) {
    draft.open(to, { via: from, seq });
    draft.patch(to.conversation, { held, choice, at });
  }
  take(draft, event.messages, now);
  draft.answer(agent, command.address.conversation, [command], { parts: [], notice: "linked" }, now);
  if (issued !== undefined) draft.answer(agent, issued, [], { parts: [], notice: "linkedHere" }, now);
  for (const { to } of event.places) advance(draft, to.conversation, event);
  return "accepted";
}

/**
 * The other past behind this one, its summary as a note: a fold that is under way has the beginning and the summary. Turns of
 * the other agent get names of their own.
 */
function remember(draft: Draft, event: Of<"linked">): void {
  const { link, summary, items, media, now, past = [], notes = [], notesOff = false } = event;
  const { items: own, summary: ownSummary } = draft.state.history;
  const name = digestOf(link);
  const note = { role: "note", text: summary ?? "", at: items[0]?.at ?? now, turn: `${name}.t0` as TurnId } as const;
  const theirs = items.map((item) => ({ ...item, turn: `${name}.${item.turn}` as TurnId }));
  draft.history([...own, ...(summary === undefined ? [] : [note]), ...theirs], ownSummary);
  draft.media(media);
  if (past.length > 0) draft.mergePast(past);
  const merged = mergeNotes(notesOf(draft.state.history), notes);
  // Who wanted none on either channel wants none as one person.
  draft.notes({ notes: merged.notes, noted: merged.last, ...(notesOff ? { notesOff } : {}) });
}

/** Messages that another agent had and did not answer: also those that were here before an earlier link ended. */
function take(draft: Draft, messages: readonly InboundMessage[], now: number): void {
  for (const message of messages) {
    const { conversation } = message.address;
    if (!isSeen(draft.state, message.id)) draft.markSeen(message.id, message.sentAt, now);
    draft.patch(conversation, { pending: insert(draft.thread(conversation)?.pending ?? [], message) });
  }
}

function unlinked(draft: Draft, event: Of<"unlinked">): Reply {
  const { conversation, now } = event;
  const thread = servedBy(draft, event);
  if (thread === undefined) return "stale";
  const all = Object.keys(draft.state.inbox.joiners ?? {}) as AgentId[];
  const who = thread.via === undefined ? all : [thread.via];
  if (who.length === 0) return "refused";
  const others = concerned(draft.state.inbox, who).filter(([id]) => id !== conversation);
  if (!others.every(([, other]) => isStill(other)) || (thread.via !== undefined && !canGo(thread))) return "busy";
  if (thread.via !== undefined) takeEdits(draft, conversation, now);
  served(draft, event, "unlinked");
  release(draft, who);
  advance(draft, conversation, event);
  return "accepted";
}

/**
 * Their conversations go back to them, with what waits there; it is told until they have it.
 * @param erased the person wants nothing kept of what was said.
 */
function release(draft: Draft, who: readonly AgentId[], erased = false): void {
  // Nobody could go on with what waits for a word here.
  for (const [id] of concerned(draft.state.inbox, who)) closeAsks(draft, id);
  const going = who.map((to): Leaving => {
    const threads = concerned(draft.state.inbox, [to]);
    const { link = "", latest } = draft.state.inbox.joiners?.[to] ?? {};
    return {
      to,
      link,
      ...(latest === undefined ? {} : { latest }),
      ...(erased ? { forgotten: true } : {}),
      places: threads.map(([, thread]) => placeOf(thread)),
      messages: threads.flatMap(([, { pending }]) => pending),
    };
  });
  const stay = threadsOf(draft.state.inbox).filter(([, { via }]) => via === undefined || !who.includes(via));
  const joiners = Object.entries(draft.state.inbox.joiners ?? {}).filter(([id]) => !who.includes(id as AgentId));
  without(draft, "joiners");
  if (joiners.length > 0) draft.inbox({ joiners: Object.fromEntries(joiners) });
  draft.inbox({ threads: Object.fromEntries(stay), leaving: [...(draft.state.inbox.leaving ?? []), ...going] });
  draft.effects.push({ kind: "release" });
}

function left(draft: Draft, event: Of<"left">): Reply {
  const { link, latest = [], places, messages, forgotten: erased = false, now } = event;
  if (draft.state.inbox.forward?.link !== link) return "duplicate";
  without(draft, "forward");
  if (erased) draft.silence("forgotten");
  for (const { to, seq, held, choice, at } of places) {
    draft.open(to, { seq });
    draft.patch(to.conversation, { held, choice, at });
  }
  for (const id of latest) if (!isSeen(draft.state, id)) draft.markSeen(id, undefined, now);
  take(draft, messages, now);
  for (const { to } of places) advance(draft, to.conversation, event);
  return "accepted";
}

function released(draft: Draft, { link }: Of<"released">): Reply {
  const { leaving = [] } = draft.state.inbox;
  const rest = leaving.filter((of) => of.link !== link);
  if (rest.length === leaving.length) return "duplicate";
  without(draft, "leaving");
  if (rest.length > 0) draft.inbox({ leaving: rest });
  return "accepted";
}

/** Nothing of what was said is kept, and no link; ids and counts are, so that nothing is answered again or passed over. */
function forgotten(draft: Draft, event: Of<"forgotten">): Reply {
  const { agent, conversation, command, now } = event;
  const thread = servedBy(draft, event);
  if (thread === undefined) return "stale";
  if (thread.via !== undefined && !canGo(thread)) return "busy";
  if (thread.via !== undefined) takeEdits(draft, conversation, now);
  for (const [id, { pending }] of threadsOf(draft.state.inbox)) {
    const own = id === conversation;
    const before = own
      ? pending.slice(
          0,
          pending.findIndex((message) => message.id === command),
        )
      : pending;
    const behind = own ? [] : draft.spilled(id).map(([, message]) => message);
    const gone = [...before, ...behind].map((message) => message.id);
    draft.setAside(id, gone, "forgotten", now);
    if (!own) {
      draft.drain(id);
      end(draft, id);
    }
    closeAsks(draft, id);
    letGo(draft, id, "person");
    draft.patch(id, { questions: undefined });
    const kept = pending.filter((message) => !before.includes(message));
    draft.patch(id, own ? { pending: kept } : { pending: kept, early: undefined, gaps: undefined });
  }
  draft.forget();
  draft.silence("forgotten");
  served(draft, event, "forgotten");
  const who = digestOf(agent);
  const aside = { id: `forgotten:${who}`, conversation: who, rule: "forgotten by the person", at: now };
  draft.inbox({ aside: [...(draft.state.inbox.aside ?? []), aside] });
  const joiners = Object.keys(draft.state.inbox.joiners ?? {}) as AgentId[];
  if (joiners.length > 0) release(draft, joiners, true);
  advance(draft, conversation, event);
  return "accepted";
}

/** The conversation whose active turn serves that command. */
export function servedBy(draft: Draft, { conversation, turn, attempt, command }: Serving): Thread | undefined {
  const thread = draft.thread(conversation);
  const active = thread?.turn;
  return active?.id === turn && active.attempt === attempt && active.command === command ? thread : undefined;
}

/** The command is answered, and its turn over. */
export function served(
  draft: Draft,
  event: Serving & Moment & { readonly agent: AgentId },
  notice: NoticeKey,
  values?: NoticeValues,
): void {
  const { conversation, command, agent, now } = event;
  const pending = draft.thread(conversation)?.pending ?? [];
  draft.patch(conversation, { pending: pending.filter(({ id }) => id !== command), turn: undefined });
  const of = pending.filter(({ id }) => id === command);
  draft.answer(agent, conversation, of, { parts: [], notice, ...(values && { values }) }, now);
}

/** All that waits in it can be given to another agent at once. */
function canGo({ gaps, spilled }: Thread): boolean {
  return gaps === undefined && spilled === undefined;
}

/** Nothing happens in it: what waits there waits for an operator, and goes along. */
function isStill(thread: Thread): boolean {
  const waits = thread.held !== undefined && thread.turn === undefined && thread.early === undefined && canGo(thread);
  return waits || isQuiet(thread);
}

function concerned(inbox: Inbox, who: readonly AgentId[]): [ConversationId, Thread][] {
  return threadsOf(inbox).filter(([, { via }]) => via !== undefined && who.includes(via));
}

function without(draft: Draft, field: "forward" | "joiners" | "leaving"): void {
  const { [field]: _gone, ...rest } = draft.state.inbox;
  draft.replaceInbox(rest);
}
