/** Messages that were sent before ones that came and have not come yet: the reducer's part that knows what waits for them. */
import type { Draft } from "./draft.ts";
import type { ConversationId, MessageId } from "./ids.ts";
import { isSeen } from "./seen.ts";
import type { Gap } from "./state.ts";

/** Messages waited for at once. */
const maxGaps = 16;

/** An event came: what waited for it waits for those before it now, where one of them has not come either. */
export function watchGap(
  draft: Draft,
  conversation: ConversationId,
  id: MessageId,
  previous: readonly MessageId[] = [],
): void {
  const closed = closeGap(draft, conversation, id);
  const missing = missingBefore(draft, id, [...previous, ...(closed?.earlier ?? [])]);
  awaitEvents(draft, conversation, missing, closed?.before);
}

/** Those of them that have not come, in their order. */
export function missingBefore(draft: Draft, id: MessageId, previous: readonly MessageId[] = []): readonly MessageId[] {
  const missing = previous.filter((before) => before !== id && !isSeen(draft.state, before));
  return missing.length > 1 ? [...new Set(missing)] : missing;
}

/**
 * Waits for the first of them, and then for the next: a copy by another ingress may come first that names nothing before itself.
 * @param ahead what need not wait: all that is there already, unless given.
 */
export function awaitEvents(
  draft: Draft,
  conversation: ConversationId,
  [missing, ...earlier]: readonly MessageId[],
  ahead?: readonly MessageId[],
): void {
  if (missing === undefined) return;
  const { gaps = [], pending = [] } = draft.thread(conversation) ?? {};
  const known = gaps.find((gap) => gap.missing === missing);
  if (known !== undefined && earlier.every((id) => known.earlier?.includes(id))) return;
  const all = [...new Set([...earlier, ...(known?.earlier ?? [])])].slice(0, maxGaps);
  const before = known?.before ?? ahead ?? pending.map(({ id }) => id);
  const gap: Gap = { missing, before, ...(all.length === 0 ? {} : { earlier: all }) };
  const others = gaps.filter((other) => other !== known);
  draft.patch(conversation, { gaps: [...others, gap].slice(-maxGaps) });
  if (known === undefined) draft.effects.push({ kind: "wait", conversation, missing });
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
