/** When a turn of a conversation starts, starts again or is called off. One at most is active. */
import type { Draft } from "./draft.ts";
import type { Moment } from "./events.ts";
import type { AgentId, ConversationId, TurnId } from "./ids.ts";
import type { InboundMessage, NoticeKey } from "./message.ts";
import type { ActiveTurn, Thread } from "./state.ts";

/** Messages that one turn answers together. */
const maxMerged = 32;

/** The messages that the next turn of a conversation answers together: up to the next command. */
export function batchOf(thread: Thread): readonly InboundMessage[] {
  const command = thread.pending.findIndex((message) => isNoticeCommand(message));
  return thread.pending.slice(0, command === -1 ? maxMerged : Math.min(command, maxMerged));
}

/** Starts what can start: commands that have come to the front are answered, the rest becomes a turn. */
export function advance(draft: Draft, conversation: ConversationId, at: Moment & { readonly agent: AgentId }): void {
  for (;;) {
    const thread = draft.thread(conversation);
    const head = thread?.pending[0];
    if (thread === undefined || head === undefined || thread.turn !== undefined) return;
    if (thread.gap !== undefined && at.now < thread.gap.until) return;
    const notice = noticeOf(head);
    if (notice === undefined) {
      const id = `t${draft.state.inbox.turns + 1}` as TurnId;
      draft.inbox({ turns: draft.state.inbox.turns + 1 });
      run(draft, conversation, { id, attempt: 1, owner: at.instance });
      return;
    }
    draft.patch(conversation, { pending: thread.pending.slice(1) });
    draft.answer(at.agent, conversation, [head], { parts: [], notice }, at.now);
  }
}

function run(draft: Draft, conversation: ConversationId, turn: ActiveTurn): void {
  draft.patch(conversation, { turn, gap: undefined });
  draft.effects.push({ kind: "start", conversation, turn: turn.id, attempt: turn.attempt });
}

export function cancel(draft: Draft, conversation: ConversationId, turn: ActiveTurn | undefined): void {
  if (turn !== undefined) draft.effects.push({ kind: "cancel", conversation, turn: turn.id, attempt: turn.attempt });
}

/** The running turn no longer fits its messages: a new attempt takes them again, or none are left. */
export function restart(draft: Draft, conversation: ConversationId, at: Moment, deaths?: number): void {
  const thread = draft.thread(conversation);
  if (thread?.turn === undefined) return;
  cancel(draft, conversation, thread.turn);
  if (batchOf(thread).length === 0) draft.patch(conversation, { turn: undefined });
  else {
    const again = { ...thread.turn, attempt: thread.turn.attempt + 1, owner: at.instance };
    run(draft, conversation, deaths === undefined ? again : { ...again, deaths });
  }
}

function noticeOf(event: InboundMessage): NoticeKey | undefined {
  const name = event.message.command?.name;
  return name === "start" || name === "help" ? name : undefined;
}

/** Commands that the gateway answers itself, in their place. */
export function isNoticeCommand(event: InboundMessage): boolean {
  return noticeOf(event) !== undefined;
}
