/** When an agent's history is too long, and what of it one fold takes into the summary. */
import type { HistoryItem } from "./agent.ts";

/** Characters of history from which on the older part is folded, whatever the number of items. */
const foldChars = 48_000;
/** Characters that one fold takes, as far as each item counts: the rest is the next one's. */
const foldedChars = 32_000;
const foldedItem = 2_000;

/** The oldest items, whole turns of them; none where it is short enough. @param kept see `AgentTraits.historyItems` */
export function foldable(items: readonly HistoryItem[], kept: number): readonly HistoryItem[] {
  const long = items.length > 3 && items.reduce((sum, item) => sum + item.text.length, 0) > foldChars;
  if (items.length <= kept * 2 && !long) return [];
  const mayGo = Math.max(items.length - (long ? Math.min(kept, items.length >> 1) : kept), 1);
  let room = foldedChars;
  const fits = items.findIndex(({ text }) => (room -= Math.min(text.length, foldedItem)) < 0);
  const last = items[Math.max(fits === -1 ? mayGo : Math.min(mayGo, fits), 1) - 1]?.turn;
  return items.slice(0, items.findLastIndex((item) => item.turn === last) + 1);
}
