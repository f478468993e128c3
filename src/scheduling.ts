/** When a turn of a conversation starts, starts again or is called off. One at most is active. */
import { saysMore } from "./agent-choice.ts";
import { decisionOf, objection } from "./asks.ts";
import { commands, personCommand, type Command } from "./commands.ts";
import { missionPressOf } from "./mission-buttons.ts";
import type { Draft } from "./draft.ts";
import type { Moment } from "./events.ts";
import { digestOf, type AgentId, type ConversationId, type MessageId, type TurnId } from "./ids.ts";
import type { InboundMessage, NoticeKey } from "./message.ts";
import type { Question } from "./question-state.ts";
import { add, heardItem } from "./remembering.ts";
import type { ActiveTurn, Thread } from "./state.ts";
import { heldRule } from "./takeover-state.ts";
import { insert } from "./order.ts";
import { waiting } from "./waiting.ts";

/** How often what a person does starts a running turn again; what comes after that waits for it to end. */
const maxRestarts = 8;

/**
 * The messages that a turn of a conversation answers together: up to the next command, or one that is missing. Where one of those
 * has come before messages that a running turn began with, these stay together, and nothing newer joins them.
 */
export function batchOf(thread: Thread): readonly InboundMessage[] {
  const { gaps = [], turn } = thread;
  if (turn?.command !== undefined) return thread.pending.filter(({ id }) => id === turn.command);
  // A tool of the turn has asked for these.
  const replies = repliesIn(thread);
  const pending = thread.pending.filter(({ id }) => !replies.has(id));
  const whose = (message: InboundMessage | undefined) => businessOf(thread, message);
  const parts = (message: InboundMessage) =>
    standsApart(message) ||
    whose(message) !== whose(pending[0]) ||
    gaps.some(({ before }) => !before.includes(message.id));
  const hasBegun = ({ id }: InboundMessage) => turn?.began?.includes(id) === true;
  const head = pending.find(hasBegun) ?? pending[0];
  if (head !== undefined && saysMore(head)) return [head];
  const last = pending.findLastIndex(hasBegun);
  const end = pending.findIndex(parts);
  if (end !== -1 && end < last) return untilApart(pending.filter(hasBegun));
  // More than that only where older ones came late: those are not answered after newer ones.
  return pending.slice(0, Math.min(end === -1 ? Infinity : end, Math.max(last + 1, waiting.together)));
}

/** An edit may have made a command of one that a turn began with: that one, and what was said after it, wait for their own turns. */
function untilApart(begun: readonly InboundMessage[]): readonly InboundMessage[] {
  const end = begun.findIndex(standsApart);
  return end === -1 ? begun : begun.slice(0, end);
}

/** The agent that a note is for, where that is not the one at work: it has a turn of its own with others for the same. */
function businessOf({ at }: Thread, message: InboundMessage | undefined): string | undefined {
  const agent = message?.note?.agent;
  return at === undefined || agent === at ? undefined : agent;
}

/** What answers questions of the running turn, each with its question. */
export function repliesIn({ questions = [], turn }: Thread): ReadonlyMap<MessageId, Question> {
  const own = questions.filter((one) => one.turn === turn?.id);
  return new Map(own.flatMap((one) => (one.reply === undefined ? [] : [[one.reply.message, one] as const])));
}

const idsOf = (messages: readonly InboundMessage[]) => messages.map(({ id }) => id);

/** Starts what can start: commands that have come to the front are answered, the rest becomes a turn. */
export function advance(draft: Draft, conversation: ConversationId, at: Moment & { readonly agent: AgentId }): void {
  draft.refill(conversation, waiting.together);
  const before = draft.thread(conversation);
  if (before === undefined || before.turn !== undefined) return;
  if (before.gaps !== undefined) return;
  takeEdits(draft, conversation, at.now);
  const isHeld = before.held?.by !== undefined;
  if (isHeld) hearOut(draft, conversation, at);
  else answerCommands(draft, conversation, at);
  const thread = draft.thread(conversation);
  const head = isHeld ? thread?.pending.find(isServed) : thread?.pending[0];
  if (thread === undefined || head === undefined) return;
  // A person of the operator's has it, or is asked for.
  if (thread.held !== undefined && !isService(head)) return;
  const turns = draft.state.inbox.turns + 1;
  draft.inbox({ turns });
  const begins = standsAlone(head) ? { command: head.id } : { began: idsOf(batchOf(thread)) };
  run(draft, conversation, { id: `t${turns}` as TurnId, attempt: 1, owner: at.instance, ...begins });
}

/**
 * An operator has the conversation: what people say there is for them, and stands in what the agent remembers. The gateway's own
 * commands are answered in their place; what the agent is told waits.
 */
function hearOut(draft: Draft, conversation: ConversationId, at: Moment & { readonly agent: AgentId }): void {
  for (;;) {
    const { pending = [], spilled } = draft.thread(conversation) ?? {};
    const served = pending.findIndex(isServed);
    const ahead = pending.slice(0, served === -1 ? pending.length : served).filter(({ note }) => note === undefined);
    const rest = pending.filter((message) => !ahead.includes(message));
    if (ahead.length > 0) draft.patch(conversation, { pending: rest });
    for (const message of ahead) {
      const notice = noticeOf(message);
      if (notice !== undefined) draft.answer(at.agent, conversation, [message], { parts: [], notice }, at.now);
      else {
        add(draft, [heardItem(message, `held.${digestOf(message.id)}` as TurnId)]);
        draft.setAside(conversation, [message.id], heldRule, at.now);
      }
    }
    if (served !== -1) return;
    draft.refill(conversation, rest.length + waiting.together);
    if (spilled === undefined || draft.thread(conversation)?.spilled === spilled) return;
  }
}

/** Also while an operator has the conversation: who asks for a person again says it to the one who is there. */
function isServed(message: InboundMessage): boolean {
  return isService(message) && message.message.command?.name !== personCommand;
}

/** The messages of these edits do not come: they were set aside before anybody saw them, as those that mention nobody are. */
export function takeEdits(draft: Draft, conversation: ConversationId, now: number): void {
  const thread = draft.thread(conversation);
  for (const { target, ...edit } of thread?.early ?? []) {
    draft.markSeen(target, edit.sentAt, now);
    const message = { ...edit, kind: "message", id: target } as const;
    draft.patch(conversation, { pending: insert(draft.thread(conversation)?.pending ?? [], message) });
  }
  if (thread?.early !== undefined) draft.patch(conversation, { early: undefined });
}

/** A turn runs, and what the person does may start it again. */
export function mayRestart({ turn }: Thread): boolean {
  return turn !== undefined && turn.command === undefined && turn.attempt - (turn.deaths ?? 0) <= maxRestarts;
}

function answerCommands(draft: Draft, conversation: ConversationId, at: Moment & { readonly agent: AgentId }): void {
  for (;;) {
    const thread = draft.thread(conversation);
    const [head, ...rest] = thread?.pending ?? [];
    if (thread === undefined || head === undefined) return;
    const notice = noticeOf(head);
    const decision = decisionOf(head);
    const rule = decision === undefined ? undefined : objection(thread, head, decision);
    if (notice === undefined && rule === undefined) return;
    draft.patch(conversation, { pending: rest });
    draft.refill(conversation, waiting.together);
    if (notice !== undefined) draft.answer(at.agent, conversation, [head], { parts: [], notice }, at.now);
    else if (rule !== undefined) draft.setAside(conversation, [head.id], rule, at.now);
  }
}

function run(draft: Draft, conversation: ConversationId, turn: ActiveTurn): void {
  draft.patch(conversation, { turn });
  draft.effects.push({ kind: "start", conversation, turn: turn.id, attempt: turn.attempt });
}

/** Calls the running turn off. */
export function end(draft: Draft, conversation: ConversationId): void {
  const turn = draft.thread(conversation)?.turn;
  if (turn === undefined) return;
  draft.effects.push({ kind: "cancel", conversation, turn: turn.id, attempt: turn.attempt });
  draft.patch(conversation, { turn: undefined });
}

/** The running turn no longer fits its messages: a new attempt takes them again, or none are left. */
export function restart(
  draft: Draft,
  conversation: ConversationId,
  at: Moment & { readonly agent: AgentId },
  deaths?: number,
): void {
  const turn = draft.thread(conversation)?.turn;
  if (turn === undefined) return;
  end(draft, conversation);
  // A command that was sent before its messages came after it had begun.
  answerCommands(draft, conversation, at);
  const rest = draft.thread(conversation);
  // What is left may wait for one that is missing; a command that joins another agent is not served again meanwhile.
  const batch = rest === undefined ? [] : batchOf({ ...rest, turn });
  if (batch.length === 0) return;
  if (turn.command !== undefined && draft.state.inbox.forward !== undefined) return;
  const began = turn.command === undefined ? { began: idsOf(batch) } : {};
  const again = { ...turn, ...began, attempt: turn.attempt + 1, owner: at.instance };
  run(draft, conversation, deaths === undefined ? again : { ...again, deaths });
}

const known: ReadonlyMap<string | undefined, Command> = new Map(commands.map((command) => [command.name, command]));

function noticeOf(event: InboundMessage): NoticeKey | undefined {
  return known.get(event.message.command?.name)?.notice;
}

/** Commands that the gateway answers itself, in their place. */
export function isNoticeCommand(event: InboundMessage): boolean {
  return noticeOf(event) !== undefined;
}

/**
 * Commands, and presses of a mission's buttons, that the gateway answers itself, by a turn of their own: see `services.ts`. A command
 * that goes on to say something is none.
 */
export function isService(event: InboundMessage): boolean {
  if (missionPressOf(event) !== undefined) return true;
  const command = known.get(event.message.command?.name);
  return command !== undefined && command.notice === undefined && !saysMore(event);
}

/** It has a turn of its own. */
function standsAlone(event: InboundMessage): boolean {
  return isService(event) || decisionOf(event) !== undefined;
}

/** Nothing else that people say has a turn with it. */
function standsApart(event: InboundMessage): boolean {
  return isNoticeCommand(event) || standsAlone(event) || saysMore(event);
}
