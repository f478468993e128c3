/** Messages that were sent before ones that came and have not come yet: the reducer's part that knows what waits for them. */
import type { Draft } from "./draft.ts";
import type { ConversationId, MessageId } from "./ids.ts";
import { isSeen } from "./seen.ts";
import type { Gap } from "./state.ts";

/** Messages waited for at once. */
const maxGaps = 16;

/** An event came: what waited for it waits for the one before it now, where that has not come either. */
export function watchGap(
  draft: Draft,
  conversation: ConversationId,
  id: MessageId,
  previous: readonly MessageId[] | undefined,
): void {
  const closed = closeGap(draft, conversation, id);
  const missing = missingBefore(draft, id, previous);
  if (missing !== undefined) awaitEvent(draft, conversation, missing, closed?.before);
}

/** The latest that has not come: it names those before it when it does. */
export function missingBefore(draft: Draft, id: MessageId, previous: readonly MessageId[] = []): MessageId | undefined {
  return previous.find((before) => before !== id && !isSeen(draft.state, before));
}

/** @param ahead what need not wait for it: all that is there already, unless given. */
export function awaitEvent(
  draft: Draft,
  conversation: ConversationId,
  missing: MessageId,
  ahead?: readonly MessageId[],
): void {
  const { gaps = [], pending = [] } = draft.thread(conversation) ?? {};
  if (gaps.some((gap) => gap.missing === missing)) return;
  const gap = { missing, before: ahead ?? pending.map(({ id }) => id) };
  draft.patch(conversation, { gaps: [...gaps, gap].slice(-maxGaps) });
  draft.effects.push({ kind: "wait", conversation, missing });
}

/** The wait for an event is over: it came, or it took too long. Undefined where nothing waited for it. */
export function closeGap(draft: Draft, conversation: ConversationId, missing: MessageId): Gap | undefined {
  const gaps = draft.thread(conversation)?.gaps;
  const gap = gaps?.find((of) => of.missing === missing);
  if (gap === undefined) return undefined;
  const rest = gaps?.filter((of) => of !== gap) ?? [];
  draft.patch(conversation, { gaps: rest.length === 0 ? undefined : rest });
  return gap;
}
