/** What an agent keeps of calls that wait for somebody's word: see `asks.ts`. */
import { z } from "zod";
import type { MessageId, TurnId } from "./ids.ts";
import { participant } from "./message.ts";

/** In the conversation. */
export const openAsk = z.object({
  id: z.string(),
  turn: z.string().transform((id) => id as TurnId),
  by: z.enum(["person", "operator"]),
  /** Whose messages led to it: theirs is the word, where it is the person's. */
  of: z.array(participant.shape.id),
  /** Those messages; absent where an earlier version wrote it. */
  from: z.array(z.string().transform((id) => id as MessageId)).optional(),
});
export type OpenAsk = Readonly<z.infer<typeof openAsk>>;

/** Beside it. */
const askRow = z.object({ v: z.literal(1), state: z.string() });
export type AskRow = z.infer<typeof askRow>;

export function askKey(id: string): string {
  return `ask:${id}`;
}

/** @throws ZodError for a row that no version wrote. */
export function readAsk(row: unknown): AskRow {
  return askRow.parse(row);
}
