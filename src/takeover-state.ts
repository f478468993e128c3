/** What an agent keeps of a conversation that a person of the operator's has, or is asked for: see `takeover.ts`. */
import { z } from "zod";

export const held = z.object({
  /** The same from the asking to the end. */
  id: z.string(),
  /** Rises whenever somebody takes it. */
  n: z.number(),
  /** The operator's name; absent: nobody has come yet. */
  by: z.string().optional(),
  at: z.number(),
  /** Then it is the agent's again, unless the operator has said something by then. */
  until: z.number().optional(),
  /** How long an operator may say nothing. */
  silentMs: z.number().optional(),
});
export type Held = Readonly<z.infer<typeof held>>;

/** The rule in the journal for what an operator is to answer. */
export const heldRule = "held by an operator";

/** A person is asked for, until a time. */
export interface WantedPerson {
  readonly id: string;
  readonly until: number;
}
