/**
 * What an agent notes of its person, or of its group, for good: short sentences that people can read and delete (`/memory`).
 *
 * A note is written with the end of the turn that took it, in the same write: a turn that runs again notes nothing twice, and
 * one that is stopped notes nothing.
 */
import { z } from "zod";
import type { ConversationId, ParticipantId } from "./ids.ts";
import type { Address } from "./message.ts";

export const note = z.object({
  /** Rises, and is never given again: what people were shown under it is what they delete. */
  n: z.number(),
  text: z.string(),
  at: z.number(),
  /** Where it was learnt. */
  conversation: z.string(),
  channel: z.string(),
  kind: z.enum(["direct", "group"]),
  /** Who said it, in a group. */
  by: z.object({ id: z.string(), name: z.string().optional() }).optional(),
});
export interface Note {
  readonly n: number;
  readonly text: string;
  readonly at: number;
  readonly conversation: ConversationId;
  readonly channel: string;
  readonly kind: Address["kind"];
  readonly by?: NotedBy;
}
export interface NotedBy {
  readonly id: ParticipantId;
  readonly name?: string;
}

/** What a turn changes. */
export type NoteChange =
  | { readonly add: { readonly text: string; readonly by?: NotedBy } }
  | { readonly forget: number };

/** More are not taken until some are forgotten. */
export const mostNotes = 50;
/** What two pasts bring together may be more. */
const mostMerged = 200;
export const noteChars = 240;

/** As one line. @returns "" where nothing is left. */
export function noteText(text: string): string {
  const line = text.replace(/[\s\p{Cc}]+/gu, " ").trim();
  return line.length <= noteChars ? line : `${line.slice(0, noteChars - 1).toWellFormed()}…`;
}

export interface Notes {
  readonly notes: readonly Note[];
  /** The last number that was given. */
  readonly last: number;
}

export function notesOf({
  notes = [],
  noted = 0,
}: {
  readonly notes?: readonly Note[];
  readonly noted?: number;
}): Notes {
  return { notes, last: noted };
}

/** What is there already, and what there is no room for, is left out. */
export function changeNotes(before: Notes, changes: readonly NoteChange[], to: Address, at: number): Notes {
  let { notes, last } = before;
  for (const change of changes) {
    if ("forget" in change) {
      notes = notes.filter(({ n }) => n !== change.forget);
      continue;
    }
    const { by } = change.add;
    const text = noteText(change.add.text);
    if (text === "" || notes.length >= mostNotes || hasNote(notes, text)) continue;
    const { conversation, channel, kind } = to;
    notes = [...notes, { n: (last += 1), text, at, conversation, channel, kind, ...(by && { by }) }];
  }
  return { notes, last };
}

/** Those of a joined identity behind the person's own, under numbers of their own. */
export function mergeNotes(own: Notes, theirs: readonly Note[]): Notes {
  let { last } = own;
  const fresh = theirs.filter(({ text }) => !hasNote(own.notes, text)).map((one) => ({ ...one, n: (last += 1) }));
  return { notes: [...own.notes, ...fresh].slice(-mostMerged), last };
}

export function hasNote(notes: readonly Pick<Note, "text">[], text: string): boolean {
  const words = text.toLowerCase();
  return notes.some((one) => one.text.toLowerCase() === words);
}

/** What of an agent's notes a turn in this place may know: its agent has no others, and a second lock holds where it had. */
export function notesFor(notes: readonly Note[], to: Address): readonly Note[] {
  return notes.filter(({ kind, conversation }) =>
    to.kind === "direct" ? kind === "direct" : conversation === to.conversation,
  );
}
