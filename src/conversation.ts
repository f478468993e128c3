/**
 * The conversation as a pure function: (state, event) → (state, effects). No clock, no I/O, no randomness; they arrive in the
 * event. `client-agent.ts` is the shell around it: it loads the state, writes it once, and then carries the effects out.
 */
import type { AgentTraits, HistoryItem } from "./agent.ts";
import { closeAsks, decisionOf, expire } from "./asks.ts";
import { understood } from "./choices.ts";
import { createDraft, type Draft } from "./draft.ts";
import type { AgentEvent, Moment, Reply, Step } from "./events.ts";
import { awaitEvents, closeGap, missingBefore, watchGap } from "./gaps.ts";
import type { AgentId, ConversationId, MessageId } from "./ids.ts";
import { mostLatest } from "./link-state.ts";
import { amendPast, isRemembered, noted } from "./memory.ts";
import { linkStep } from "./merging.ts";
import { blobsIn, describe, isOwn, type InboundEvent, type InboundMessage, type InboundNotice } from "./message.ts";
import {
  abandoned,
  ended,
  journaled,
  resend,
  said,
  settled,
  silent,
  stopped,
  stopsTold,
  summarized,
  undelivered,
} from "./outcome.ts";
import { gapMs, insert, isAfter } from "./order.ts";
import { isReplyPress, questioned, questionOver, takeReply, unquestioned } from "./questions.ts";
import { itemChars } from "./remembering.ts";
import { advance, batchOf, end, isNoticeCommand, mayRestart, restart } from "./scheduling.ts";
import { isRecent, isSeen } from "./seen.ts";
import type { AgentState, Thread } from "./state.ts";
import { isAskedFor, letGo, takeoverStep } from "./takeover.ts";
import { waiting } from "./waiting.ts";

/** Edits kept for messages that have not come yet. */
const maxEarly = 16;

export function reduce(state: AgentState, event: AgentEvent, traits: AgentTraits): Step {
  const draft = createDraft(state, traits);
  const reply = apply(draft, event, traits);
  if (reply === "accepted") return draft.step();
  const none = { put: [], remove: [] };
  return { state, effects: [], reply, seen: none, quiet: [], spilled: none, rows: new Map() };
}

function apply(draft: Draft, event: AgentEvent, traits: AgentTraits): Reply {
  switch (event.type) {
    case "received":
      return received(draft, event, traits);
    case "finished":
    case "failed":
      return ended(draft, event);
    case "silent":
      return silent(draft, event);
    case "abandoned":
      return abandoned(draft, event);
    case "waited":
      if (closeGap(draft, event.conversation, event.missing) === undefined) return "duplicate";
      goOn(draft, event.conversation, event, traits);
      return "accepted";
    case "questioned":
      return questioned(draft, event);
    case "unquestioned":
      return unquestioned(draft, event);
    case "expired":
      return expire(draft, event);
    case "journaled":
      return journaled(draft, event.entries);
    case "stopped":
      return stopped(draft, event.turns);
    case "stopsTold":
      return stopsTold(draft, event.turns);
    case "settled":
      return settled(draft, event.upTo);
    case "undelivered":
      return undelivered(draft, event);
    case "resend":
      return resend(draft, event);
    case "summarized":
      return summarized(draft, event.through, event.summary);
    case "noted":
      return noted(draft, event);
    case "taken":
    case "spoken":
    case "handedBack":
    case "lapsed":
      return takeoverStep(draft, event);
    default:
      return linkStep(draft, event);
  }
}

type Received = Extract<AgentEvent, { type: "received" }>;

function received(draft: Draft, of: Received, traits: AgentTraits): Reply {
  const { event, now } = of;
  const { conversation } = event.address;
  if (isSeen(draft.state, event.id)) return learn(draft, of, traits);
  if (event.kind === "message" && !stops(event) && behind(draft.thread(conversation)) >= waiting.behind) return "full";
  if (event.kind === "said" && mayBeOvertaking(draft, of)) return "early";
  open(draft, of);
  draft.markSeen(event.id, event.sentAt, now);
  watchGap(draft, conversation, event.id, of.previous);

  switch (event.kind) {
    case "message":
      if (stops(event)) stop(draft, of, event);
      else accept(draft, of, event, traits);
      break;
    case "edited":
      edit(draft, of, event);
      break;
    case "deleted":
      for (const target of event.targets) forget(draft, of, target, event.sentAt);
      break;
    case "reacted":
    case "membership":
      draft.setAside(conversation, [event.id], event.kind, now);
      break;
    case "notice":
      tell(draft, of, event);
      break;
    case "said":
      said(draft, of.agent, event, now);
      break;
  }
  advance(draft, conversation, of);
  return "accepted";
}

/** Words of the agent's wait for no turn, but not for nothing: what is said one after the other is heard so. */
function mayBeOvertaking(draft: Draft, { event, previous, heldMs = 0 }: Received): boolean {
  return missingBefore(draft, event.id, previous).length > 0 && heldMs < gapMs;
}

/** The gateway speaks for itself, beside whatever waits or runs. */
function tell(draft: Draft, { agent, now }: Received, event: InboundNotice): void {
  const { address: to, notice, values, participant } = event;
  const answer = { parts: [], notice, ...(values === undefined ? {} : { values }) };
  const { locale } = participant;
  draft.put({ v: 1, agent, to, seq: 1, answers: [], ...(locale === undefined ? {} : { locale }), answer, at: now });
}

/** A conversation in which nobody but the gateway has said anything has not started yet. */
function open(draft: Draft, of: Received): void {
  const { conversation } = of.event.address;
  const isNew = !draft.knows(conversation);
  openThread(draft, of);
  if (isOwn(of.event)) {
    if (isNew) draft.patch(conversation, { unheard: true });
  } else if (draft.thread(conversation)?.unheard === true) draft.patch(conversation, { unheard: undefined });
}

/** What comes by way of a joiner's agent is counted on from where that one stopped. */
function openThread(draft: Draft, { event, via }: Received): void {
  if (via === undefined) return draft.open(event.address);
  draft.open(event.address, { ...via, via: via.agent });
  const { joiners } = draft.state.inbox;
  const latest = [...(joiners?.[via.agent]?.latest ?? []), event.id].slice(-mostLatest);
  draft.inbox({ joiners: { ...joiners, [via.agent]: { link: via.link, latest } } });
}

function behind(thread: Thread | undefined): number {
  return thread?.spilled === undefined ? 0 : thread.spilled.next - thread.spilled.first;
}

/** A copy from another ingress may name a predecessor that the first one did not: in time where no turn has taken it yet. */
function learn(draft: Draft, of: Received, traits: AgentTraits): Reply {
  const { event, taken = [] } = of;
  const { conversation } = event.address;
  const thread = draft.thread(conversation);
  // It was seen so long ago that the one which named it could not tell.
  if (thread?.gaps?.some(({ missing }) => missing === event.id) === true) {
    watchGap(draft, conversation, event.id, of.previous);
    goOn(draft, conversation, of, traits);
    return "accepted";
  }
  const at = thread?.pending.findIndex(({ id }) => id === event.id) ?? -1;
  const missing = at === -1 ? [] : missingBefore(draft, event.id, of.previous);
  if (thread === undefined || missing.length === 0) return "duplicate";
  if (thread.turn !== undefined && !(taken.length > 0 && !taken.includes(event.id))) return "duplicate";
  const ahead = thread.pending.flatMap(({ id }, place) => (place < at || taken.includes(id) ? [id] : []));
  awaitEvents(draft, conversation, missing, ahead);
  return "accepted";
}

/** What waited for an event waits no longer. */
function goOn(
  draft: Draft,
  conversation: ConversationId,
  at: Moment & { readonly agent: AgentId },
  traits: AgentTraits,
): void {
  if (traits.whileRunning === "interrupt") interrupt(draft, conversation, at);
  advance(draft, conversation, at);
}

function accept(draft: Draft, of: Received, event: InboundMessage, traits: AgentTraits): void {
  const { conversation } = event.address;
  const thread = draft.thread(conversation);
  if (thread === undefined) return;
  const early = thread.early?.find((edited) => edited.target === event.id);
  if (early !== undefined) draft.patch(conversation, { early: remaining(thread.early, (edited) => edited !== early) });
  const rule = stoppedBy(thread, event);
  if (rule !== undefined) return draft.setAside(conversation, [event.id], rule, of.now);
  const { note, participant } = event;
  if (note === undefined && thread.locale !== participant.locale)
    draft.patch(conversation, { locale: participant.locale });
  const given = (early ?? event).message;
  const content = note === undefined ? understood(given, participant, thread.choices) : given;
  const message = withoutRaw({ ...event, message: content });
  const replies = takeReply(draft, conversation, message);
  if (!replies && isReplyPress(message)) return draft.setAside(conversation, [event.id], questionOver, of.now);
  draft.media(blobsIn(content.parts));
  const isFull = thread.spilled !== undefined || thread.pending.length >= waiting.inbox;
  // One that was sent before others of the inbox has its place among them.
  if (isFull && !thread.pending.some((other) => isAfter(other, message))) return draft.spill(conversation, message);
  draft.patch(conversation, { to: event.address, pending: insert(thread.pending, message) });
  // A note is no second thought of the person's: it waits for the turn to end.
  if (traits.whileRunning === "interrupt" && note === undefined) interrupt(draft, conversation, of, event.id);
}

/** The running turn takes the new messages too, unless one that was sent before them is still missing, or a command is between. */
function interrupt(
  draft: Draft,
  conversation: ConversationId,
  at: Moment & { readonly agent: AgentId },
  by?: MessageId,
): void {
  const thread = draft.thread(conversation);
  if (thread === undefined || !mayRestart(thread) || thread.gaps !== undefined) return;
  if (by === undefined || batchOf(thread).some(({ id }) => id === by)) restart(draft, conversation, at);
}

/**
 * The rule of a /stop or /reset that this was sent before: one that waits, or was answered before this came. The bus may have kept it
 * while there was no room.
 */
function stoppedBy({ pending, stop: last }: Thread, event: InboundMessage): string | undefined {
  const waits = pending.find((other) => stops(other) && isAfter(other, event));
  if (waits !== undefined) return isNoticeCommand(event) ? undefined : stopRule(waits);
  return last !== undefined && isAfter(last, event) ? last.rule : undefined;
}

/** The running turn works on this message, as far as is known. */
function isTaken({ taken }: Received, target: MessageId): boolean {
  return taken === undefined || taken.includes(target);
}

/** Seen here, or by the joiner's agent, also so long ago that only the message itself is kept. */
function isKnown(draft: Draft, { via }: Received, target: MessageId): boolean {
  return isSeen(draft.state, target) || via?.known.includes(target) === true || isRemembered(draft.state, target);
}

/** The payload as it came is for the record, not for the agent's state. */
function withoutRaw<Event extends InboundEvent>(event: Event): Event {
  const { raw: _raw, ...rest } = event;
  return rest as Event;
}

/**
 * /stop and /reset act at once: what runs is cancelled, what came before is set aside. The command itself is answered in its
 * place; one that overtook earlier messages waits for them as any message does, and they find it there.
 */
function stop(draft: Draft, of: Received, event: InboundMessage): void {
  const { conversation } = event.address;
  const thread = draft.thread(conversation);
  if (thread === undefined) return;
  const all = [...thread.pending, ...draft.spilled(conversation).map(([, message]) => message)];
  draft.drain(conversation);
  // A service goes on; a run that somebody let go on does not, also where its word was said after this.
  const alone = all.find((other) => other.id === thread.turn?.command);
  const resumes = alone !== undefined && decisionOf(alone) !== undefined;
  const served = resumes ? undefined : alone;
  const stopped = all.filter((other) => !isNoticeCommand(other) && !isAfter(other, event) && other !== served);
  closeAsks(draft, conversation);
  // Whom nobody has come for yet is asked for no more.
  if (isAskedFor(thread)) letGo(draft, conversation, "person");
  draft.patch(conversation, { questions: undefined });
  draft.setAside(
    conversation,
    stopped.map(({ id }) => id),
    stopRule(event),
    of.now,
  );
  const rest = all.filter((other) => !stopped.includes(other));
  draft.patch(conversation, {
    pending: insert(rest, withoutRaw(event)),
    early: undefined,
    stop: stopOf(event, thread),
  });
  if (resumes || (served === undefined && stopped.some(({ id }) => isTaken(of, id)))) end(draft, conversation);
  if (event.message.command?.name !== "reset") return;
  draft.reset();
  draft.patch(conversation, { choice: undefined, at: undefined });
}

function edit(draft: Draft, of: Received, event: Extract<InboundEvent, { kind: "edited" }>): void {
  const { conversation } = event.address;
  const thread = draft.thread(conversation);
  if (thread === undefined) return;
  const { target, message } = event;
  if (thread.turn?.command === target) return draft.setAside(conversation, [event.id], "edited too late", of.now);
  const meant = understood(message, event.participant, thread.choices);
  if (thread.pending.some(({ id }) => id === target)) {
    const pending = thread.pending.map((other) => (other.id === target ? { ...other, message: meant } : other));
    draft.patch(conversation, { pending });
    if (thread.turn?.command !== undefined || !isTaken(of, target)) return;
    if (mayRestart(thread)) restart(draft, conversation, of);
    else draft.setAside(conversation, [event.id], "edited too often", of.now);
    return;
  }
  const [key, spilled] = draft.spilled(conversation).find(([, { id }]) => id === target) ?? [];
  if (key !== undefined && spilled !== undefined) return draft.respill(key, { ...spilled, message: meant });
  if (!isKnown(draft, of, target) && isRecent(event.sentAt, of.now)) {
    const early = withoutRaw(event);
    draft.patch(conversation, {
      early: [...(thread.early ?? []).filter((other) => other.target !== target), early].slice(-maxEarly),
    });
    // An ingress that does not order says so by `arrival`: there the message may be under way, and is waited for.
    if (event.arrival !== undefined) awaitEvents(draft, conversation, [target]);
    draft.setAside(conversation, [event.id], "edited before it came", of.now);
    return;
  }
  const { items, summary } = draft.state.history;
  if (items.some((item) => item.message === target)) {
    const text = (read: HistoryItem["read"]) => describe(message, read).slice(0, itemChars);
    draft.history(
      items.map((item) => (item.message === target ? { ...item, text: text(item.read) } : item)),
      summary,
    );
  }
  amendPast(draft, target, (item) => ({ ...item, text: describe(message).slice(0, itemChars) }));
  draft.setAside(conversation, [event.id], "edited after the answer", of.now);
}

/** A deleted message is not answered any more; one that is deleted before it comes counts as seen. */
function forget(draft: Draft, of: Received, target: MessageId, sentAt: number | undefined): void {
  const { conversation } = of.event.address;
  const thread = draft.thread(conversation);
  if (thread === undefined || thread.turn?.command === target) return;
  const [key] = draft.spilled(conversation).find(([, { id }]) => id === target) ?? [];
  if (key !== undefined) {
    draft.respill(key, undefined);
    draft.setAside(conversation, [target], "deleted", of.now);
  } else if (thread.pending.some(({ id }) => id === target)) {
    const pending = thread.pending.filter(({ id }) => id !== target);
    draft.patch(conversation, { pending });
    if (isTaken(of, target)) keepRest(draft, of, thread.turn);
    draft.setAside(conversation, [target], "deleted", of.now);
  } else if (!isKnown(draft, of, target)) {
    draft.patch(conversation, { early: remaining(thread.early, (edited) => edited.target !== target) });
    draft.markSeen(target, sentAt, of.now);
    draft.setAside(conversation, [target], "deleted", of.now);
  }
  const { items, summary } = draft.state.history;
  if (items.some((item) => item.message === target)) {
    draft.history(
      items.filter((item) => item.message !== target),
      summary,
    );
  }
  amendPast(draft, target, () => undefined);
}

/** The turn goes on with the rest of what it took; what it never had gets a turn of its own. */
function keepRest(draft: Draft, of: Received, turn: Thread["turn"]): void {
  const { conversation } = of.event.address;
  if (turn === undefined || turn.command !== undefined) return;
  // Of a turn that began in another life of the agent only that is known.
  const taken = of.taken ?? turn.began;
  const left = draft.thread(conversation)?.pending.some(({ id }) => taken?.includes(id));
  if (left !== true) return end(draft, conversation);
  restart(draft, conversation, of);
}

/** An empty list is no field at all. */
function remaining<Item>(items: readonly Item[] | undefined, keep: (item: Item) => boolean) {
  const rest = items?.filter(keep);
  return rest === undefined || rest.length === 0 ? undefined : rest;
}

/** It concerns everything that waits: all of it must be loaded. */
export function concernsAll(event: InboundEvent): boolean {
  return event.kind === "edited" || event.kind === "deleted" || (event.kind === "message" && stops(event));
}

function stops(event: InboundMessage): boolean {
  return event.message.command?.name === "stop" || event.message.command?.name === "reset";
}

function stopRule(command: InboundMessage): "reset" | "stopped" {
  return command.message.command?.name === "reset" ? "reset" : "stopped";
}

/** The latest of those that there were. */
function stopOf(event: InboundMessage, { stop: before }: Thread): Thread["stop"] {
  if (before !== undefined && isAfter(before, event)) return before;
  const { sequence, arrival } = event;
  return { rule: stopRule(event), ...(sequence !== undefined && { sequence }), ...(arrival && { arrival }) };
}
