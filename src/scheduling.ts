/** When a turn of a conversation starts, starts again or is called off. One at most is active. */
import type { Draft } from "./draft.ts";
import type { Moment } from "./events.ts";
import type { AgentId, ConversationId, TurnId } from "./ids.ts";
import type { InboundMessage, NoticeKey } from "./message.ts";
import type { ActiveTurn, Thread } from "./state.ts";

/** How long a turn waits for a message that was sent before one that came. */
export const gapMs = 2_000;
/** Messages that one turn answers together. */
const maxMerged = 32;

/** The messages that the next turn of a conversation answers together: up to the next command. */
export function batchOf(thread: Thread): readonly InboundMessage[] {
  const command = thread.pending.findIndex((message) => isNoticeCommand(message));
  return thread.pending.slice(0, command === -1 ? maxMerged : Math.min(command, maxMerged));
}

/** Starts what can start: commands that have come to the front are answered, the rest becomes a turn. */
export function advance(draft: Draft, conversation: ConversationId, at: Moment & { readonly agent: AgentId }): void {
  const before = draft.thread(conversation);
  if (before === undefined || before.turn !== undefined) return;
  if (hasGap(before, at.now)) return;
  answerCommands(draft, conversation, at);
  if (draft.thread(conversation)?.pending.length === 0) return;
  const turns = draft.state.inbox.turns + 1;
  draft.inbox({ turns });
  run(draft, conversation, { id: `t${turns}` as TurnId, attempt: 1, owner: at.instance });
}

/** A message that was sent before one that came is still awaited. A clock that was set back does not prolong it. */
export function hasGap(thread: Thread, now: number): boolean {
  return thread.gaps?.some(({ until }) => now < until && until <= now + gapMs) ?? false;
}

function answerCommands(draft: Draft, conversation: ConversationId, at: Moment & { readonly agent: AgentId }): void {
  for (;;) {
    const [head, ...rest] = draft.thread(conversation)?.pending ?? [];
    const notice = head === undefined ? undefined : noticeOf(head);
    if (head === undefined || notice === undefined) return;
    draft.patch(conversation, { pending: rest });
    draft.answer(at.agent, conversation, [head], { parts: [], notice }, at.now);
  }
}

function run(draft: Draft, conversation: ConversationId, turn: ActiveTurn): void {
  draft.patch(conversation, { turn, gaps: undefined });
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
  if (draft.thread(conversation)?.pending.length === 0) return;
  const again = { ...turn, attempt: turn.attempt + 1, owner: at.instance };
  run(draft, conversation, deaths === undefined ? again : { ...again, deaths });
}

const notices: Readonly<Record<string, NoticeKey>> = { start: "start", help: "help", stop: "stopped", reset: "reset" };

function noticeOf(event: InboundMessage): NoticeKey | undefined {
  const name = event.message.command?.name;
  return name !== undefined && Object.hasOwn(notices, name) ? notices[name] : undefined;
}

/** Commands that the gateway answers itself, in their place. */
export function isNoticeCommand(event: InboundMessage): boolean {
  return noticeOf(event) !== undefined;
}
