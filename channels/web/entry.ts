/** What the web chat keeps in a session's transcript: the conversation as the page shows it, and where its events resume. */
import { z } from "zod";
import { button } from "../../src/message.ts";
import type { TranscriptEntry } from "../../src/ports.ts";

const attachment = z.object({
  id: z.string(),
  blob: z.string(),
  name: z.string(),
  type: z.string(),
  size: z.number(),
});
export type StoredAttachment = z.infer<typeof attachment>;

const sent = { v: z.literal(1), client: z.string(), locale: z.string().optional(), timeZone: z.string().optional() };

const entry = z.discriminatedUnion("kind", [
  z.object({
    ...sent,
    kind: z.literal("user"),
    text: z.string(),
    attachments: z.array(attachment),
    press: z.object({ button: z.string(), label: z.string(), of: z.string() }).optional(),
    replyTo: z.object({ message: z.string(), text: z.string(), own: z.boolean() }).optional(),
  }),
  /** A command without a bubble of its own; "reset" ends what is shown before it. */
  z.object({ ...sent, kind: z.literal("command"), name: z.string() }),
  z.object({
    v: z.literal(1),
    kind: z.literal("agent"),
    text: z.string(),
    attachments: z.array(attachment),
    buttons: z.array(button.pick({ id: true, label: true })),
    /** Message ids of the page. */
    answers: z.array(z.string()),
    notice: z.boolean().optional(),
  }),
]);
export type Entry = z.infer<typeof entry>;
export type FromPerson = Extract<Entry, { kind: "user" | "command" }>;
export type FromAgent = Extract<Entry, { kind: "agent" }>;

/** A stored entry with its place; `key` is the message's id on the page. */
export interface Placed<E extends Entry = Entry> {
  readonly n: number;
  readonly key: string;
  readonly at: number;
  readonly entry: E;
}

/** Undefined for an entry of a newer version: it is skipped, not a reason to show nothing. */
export function readEntry(stored: TranscriptEntry): Placed | undefined {
  const read = entry.safeParse(stored.entry);
  return read.success ? { n: stored.n, key: stored.key, at: stored.at, entry: read.data } : undefined;
}

export function isFromPerson(placed: Placed): placed is Placed<FromPerson> {
  return placed.entry.kind !== "agent";
}

export function isReset({ entry: { kind, ...rest } }: Placed): boolean {
  return kind === "command" && "name" in rest && rest.name === "reset";
}

/** The page's id of a message that a client sent under an id of its own. */
export function keyOfClient(client: string): string {
  return `u-${client}`;
}
