/**
 * The conversation as a pure function: (state, event) → (state, effects). No clock, no I/O, no randomness; they arrive in the
 * event. `client-agent.ts` is the shell around it: it loads the state, writes it once, and then carries the effects out.
 */
import type { AgentTraits } from "./agent.ts";
import { createDraft, type Draft } from "./draft.ts";
import type { AgentEvent, Reply, Step } from "./events.ts";
import type { MessageId } from "./ids.ts";
import { describe, type InboundEvent, type InboundMessage } from "./message.ts";
import { ended, itemChars, resend, settled, silent, summarized, undelivered } from "./outcome.ts";
import { advance, cancel, isNoticeCommand, restart } from "./scheduling.ts";
import { isSeen } from "./seen.ts";
import type { AgentState } from "./state.ts";

/** How long a turn waits for a message that was sent before one that came. */
const gapMs = 2_000;
/** Messages waiting in one conversation; more stay on the bus until some are answered. */
const maxPending = 64;
/** Edits kept for messages that have not come yet. */
const maxEarly = 16;

export function reduce(state: AgentState, event: AgentEvent, traits: AgentTraits): Step {
  const draft = createDraft(state);
  const reply = apply(draft, event, traits);
  return reply === "accepted" ? draft.step() : { state, effects: [], reply, seen: { put: [], remove: [] } };
}

function apply(draft: Draft, event: AgentEvent, traits: AgentTraits): Reply {
  switch (event.type) {
    case "received":
      return received(draft, event, traits);
    case "finished":
    case "failed":
      return ended(draft, event, traits);
    case "silent":
      return silent(draft, event, traits);
    case "waited":
      draft.patch(event.conversation, { gap: undefined });
      advance(draft, event.conversation, event);
      return "accepted";
    case "settled":
      return settled(draft, event.upTo);
    case "undelivered":
      return undelivered(draft, event);
    case "resend":
      return resend(draft, event);
    case "summarized":
      return summarized(draft, event.through, event.summary);
  }
}

type Received = Extract<AgentEvent, { type: "received" }>;

function received(draft: Draft, of: Received, traits: AgentTraits): Reply {
  const { event, now } = of;
  const { conversation } = event.address;
  if (isSeen(draft.state.seen, event.id)) return "duplicate";
  if (event.kind === "message" && (draft.thread(conversation)?.pending.length ?? 0) >= maxPending && !stops(event))
    return "full";
  draft.open(event.address);
  draft.markSeen(event.id, event.sentAt, now);
  watchGap(draft, of);

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
      draft.setAside(conversation, [event.id], event.kind);
      break;
  }
  advance(draft, conversation, of);
  return "accepted";
}

/** Notes that an earlier message is still on its way, and that one that was waited for has come. */
function watchGap(draft: Draft, { event, previous, now }: Received): void {
  const { conversation } = event.address;
  const gap = draft.thread(conversation)?.gap;
  if (gap?.missing === event.id) draft.patch(conversation, { gap: undefined });
  if (previous === undefined || previous === event.id || isSeen(draft.state.seen, previous)) return;
  draft.patch(conversation, { gap: { missing: previous, until: now + gapMs } });
  draft.effects.push({ kind: "wait", conversation, ms: gapMs });
}

function accept(draft: Draft, of: Received, event: InboundMessage, traits: AgentTraits): void {
  const { conversation } = event.address;
  const thread = draft.thread(conversation);
  if (thread === undefined) return;
  const early = thread.early?.find((edited) => edited.target === event.id);
  const { raw: _raw, ...message } = early === undefined ? event : { ...event, message: early.message };
  draft.patch(conversation, {
    to: event.address,
    pending: insert(thread.pending, message),
    early: without(thread.early, early),
  });
  if (thread.turn !== undefined && traits.whileRunning === "interrupt" && !isNoticeCommand(event)) {
    restart(draft, conversation, of);
  }
}

/** By sequence where both have one, else behind what came before. */
function insert(pending: readonly InboundMessage[], message: InboundMessage): readonly InboundMessage[] {
  const { sequence } = message;
  const at =
    sequence === undefined
      ? -1
      : pending.findIndex((other) => other.sequence !== undefined && other.sequence > sequence);
  return at === -1 ? [...pending, message] : pending.toSpliced(at, 0, message);
}

/** /stop and /reset act at once: what runs is cancelled, what waits is set aside. */
function stop(draft: Draft, of: Received, event: InboundMessage): void {
  const { conversation } = event.address;
  const thread = draft.thread(conversation);
  if (thread === undefined) return;
  const reset = event.message.command?.name === "reset";
  cancel(draft, conversation, thread.turn);
  const ids = thread.pending.map((message) => message.id);
  draft.setAside(conversation, ids, reset ? "reset" : "stopped");
  draft.patch(conversation, { pending: [], turn: undefined, early: undefined });
  if (reset) draft.history([], undefined);
  draft.answer(of.agent, conversation, [event], { parts: [], notice: reset ? "reset" : "stopped" }, of.now);
}

function edit(draft: Draft, of: Received, event: Extract<InboundEvent, { kind: "edited" }>): void {
  const { conversation } = event.address;
  const thread = draft.thread(conversation);
  if (thread === undefined) return;
  const { target, message } = event;
  if (thread.pending.some((waiting) => waiting.id === target)) {
    const pending = thread.pending.map((waiting) => (waiting.id === target ? { ...waiting, message } : waiting));
    draft.patch(conversation, { pending });
    restart(draft, conversation, of);
    return;
  }
  if (!isSeen(draft.state.seen, target)) {
    const { raw: _raw, ...early } = event;
    draft.patch(conversation, {
      early: [...(thread.early ?? []).filter((other) => other.target !== target), early].slice(-maxEarly),
    });
    return;
  }
  const { items, summary } = draft.state.history;
  if (items.some((item) => item.message === target)) {
    const text = describe(message).slice(0, itemChars);
    draft.history(
      items.map((item) => (item.message === target ? { ...item, text } : item)),
      summary,
    );
  }
  draft.setAside(conversation, [event.id], "edited after the answer");
}

/** A deleted message is not answered any more; one that is deleted before it comes counts as seen. */
function forget(draft: Draft, of: Received, target: MessageId, sentAt: number | undefined): void {
  const { conversation } = of.event.address;
  const thread = draft.thread(conversation);
  if (thread === undefined) return;
  if (thread.pending.some((waiting) => waiting.id === target)) {
    draft.patch(conversation, { pending: thread.pending.filter((waiting) => waiting.id !== target) });
    restart(draft, conversation, of);
    draft.setAside(conversation, [target], "deleted");
  } else if (!isSeen(draft.state.seen, target)) {
    draft.markSeen(target, sentAt, of.now);
    draft.setAside(conversation, [target], "deleted");
  }
  const { items, summary } = draft.state.history;
  if (items.some((item) => item.message === target)) {
    draft.history(
      items.filter((item) => item.message !== target),
      summary,
    );
  }
}

function without<Item>(items: readonly Item[] | undefined, gone: Item | undefined): readonly Item[] | undefined {
  const rest = items?.filter((item) => item !== gone);
  return rest === undefined || rest.length === 0 ? undefined : rest;
}

function stops(event: InboundMessage): boolean {
  return event.message.command?.name === "stop" || event.message.command?.name === "reset";
}
