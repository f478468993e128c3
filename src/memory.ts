/** The reducer's part that keeps what an agent notes, and lets people see to it. */
import type { HistoryItem } from "./agent.ts";
import type { Draft } from "./draft.ts";
import type { AgentEvent, MemoryChange, Reply } from "./events.ts";
import type { MessageId } from "./ids.ts";
import { served, servedBy } from "./merging.ts";
import type { Address, InboundEvent, NoticeKey } from "./message.ts";
import { changeNotes, notesOf, type NoteChange } from "./notes.ts";
import { pastChars, pastKeys } from "./past.ts";
import { advance } from "./scheduling.ts";
import type { AgentState } from "./state.ts";

/** What a turn noted, with its answer. Nothing where the person wants none by now. */
export function keepNotes(draft: Draft, changes: readonly NoteChange[], to: Address, now: number): void {
  const { history } = draft.state;
  if (history.notesOff === true) return;
  const { notes, last } = changeNotes(notesOf(history), changes, to, now);
  draft.notes({ notes, noted: last });
}

/** A command of the person's, with its answer in one write: served again it does nothing twice. */
export function noted(draft: Draft, event: Extract<AgentEvent, { type: "noted" }>): Reply {
  if (servedBy(draft, event) === undefined) return "stale";
  served(draft, event, change(draft, event.change), {
    n: event.change.kind === "delete" ? String(event.change.n) : "",
  });
  advance(draft, event.conversation, event);
  return "accepted";
}

function change(draft: Draft, of: MemoryChange): NoticeKey {
  const { notes = [] } = draft.state.history;
  switch (of.kind) {
    case "delete":
      if (!notes.some(({ n }) => n === of.n)) return "memoryUnknown";
      draft.notes({ notes: notes.filter(({ n }) => n !== of.n) });
      return "memoryDeleted";
    case "clear":
      draft.notes({ notes: [] });
      return "memoryCleared";
    case "off":
      draft.notes({ notesOff: true });
      return "memoryOff";
    case "on":
      draft.notes({ notesOff: false });
      return "memoryOn";
  }
}

/** It changes a message that neither waits nor stands in the history: all of the past must be loaded. */
export function concernsPast({ inbox, history }: AgentState, event: InboundEvent): boolean {
  const targets = event.kind === "deleted" ? event.targets : event.kind === "edited" ? [event.target] : [];
  const { pending = [] } = inbox.threads[event.address.conversation] ?? {};
  const isHere = (target: MessageId) =>
    pending.some((one) => one.id === target) || history.items.some((item) => item.message === target);
  return !targets.every(isHere);
}

/** It stands in the history, or in the rows of the past that are loaded. */
export function isRemembered({ history, past }: AgentState, target: MessageId): boolean {
  return [history, ...Object.values(past)].some(({ items }) => items.some(({ message }) => message === target));
}

/** A message that has left the history is edited, or deleted (undefined), in the rows that are loaded. */
export function amendPast(
  draft: Draft,
  target: MessageId,
  amend: (item: HistoryItem) => HistoryItem | undefined,
): void {
  for (const key of pastKeys(draft.state.history.past)) {
    const row = draft.state.past[key];
    if (row?.items.some(({ message }) => message === target) !== true) continue;
    const amended = (item: HistoryItem) => {
      const now = amend(item);
      return now === undefined ? [] : [{ ...now, text: now.text.slice(0, pastChars).toWellFormed() }];
    };
    const items = row.items.flatMap((item) => (item.message === target ? amended(item) : [item]));
    draft.repast(key, { ...row, items });
  }
}
