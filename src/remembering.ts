/** Items of the history: what is kept of a message, and how many of them. */
import type { HistoryItem, ReadPart } from "./agent.ts";
import type { Draft } from "./draft.ts";
import type { TurnId } from "./ids.ts";
import { describe, type InboundMessage } from "./message.ts";

/** Characters of one history item. */
export const itemChars = 16_000;
/** Times `historyItems` that the history may hold while no summary can be made, for each past that came together in it. */
const hardCap = 6;

export function add(draft: Draft, items: readonly HistoryItem[]): void {
  const { items: before, summary } = draft.state.history;
  const pasts = 1 + Object.keys(draft.state.inbox.joiners ?? {}).length;
  draft.history([...before, ...items].slice(-draft.traits.historyItems * hardCap * pasts), summary);
}

/** What a person said. */
export function heardItem(of: InboundMessage, turn: TurnId, read: readonly ReadPart[] = []): HistoryItem {
  const name = of.address.kind === "group" ? of.participant.name : undefined;
  const own = read.flatMap(({ message, part, text }) => {
    return message === of.id ? [{ part, text: text.slice(0, itemChars) }] : [];
  });
  return {
    role: "user",
    text: describe(of.message, own).slice(0, itemChars),
    at: of.sentAt ?? of.receivedAt,
    turn,
    message: of.id,
    ...(own.length > 0 && { read: own }),
    ...(name !== undefined && { name }),
  };
}

/** What the gateway told the agent; `name` says what it was about. */
export function noteItem({ id, message, receivedAt }: InboundMessage, topic: string, turn: TurnId): HistoryItem {
  const text = describe(message).slice(0, itemChars);
  return { role: "note", name: topic, text, at: receivedAt, turn, message: id };
}
