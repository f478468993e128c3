/** What an agent keeps of questions that a tool has for the person while its call waits: see `questions.ts`. */
import { z } from "zod";
import type { MessageId, ParticipantId, TurnId } from "./ids.ts";
import { participant } from "./message.ts";

const option = z.object({ id: z.string(), label: z.string() });

export const question = z.object({
  id: z.string(),
  /** It is open, or answered, for as long as this turn runs. */
  turn: z.string().transform((id) => id as TurnId),
  /** The attempt that asked, or asked again. */
  attempt: z.number(),
  text: z.string(),
  /** Absent: any text is an answer. */
  options: z.array(option).optional(),
  /** Whose word it is. */
  of: z.array(participant.shape.id),
  reply: z
    .object({
      message: z.string().transform((id) => id as MessageId),
      /** The words, the option's id, or nothing where the person does not want to say. */
      text: z.string().optional(),
      option: z.string().optional(),
    })
    .optional(),
  /** Nobody waits for it any more. */
  over: z.literal(true).optional(),
});
export type Question = Readonly<z.infer<typeof question>>;

export interface Asking {
  readonly id: string;
  /** Who asks, for the person to see. */
  readonly from: string;
  readonly text: string;
  readonly options?: readonly { readonly id: string; readonly label: string }[] | undefined;
  /** Whose messages the turn answers. */
  readonly of: readonly ParticipantId[];
  readonly locale?: string | undefined;
}

/** What has come of a question. */
export type QuestionState = "open" | "stale" | { readonly text?: string; readonly option?: string };
