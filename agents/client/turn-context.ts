import type { Answer, Button } from "../../src/message.ts";
import type { Blobs } from "../../src/ports.ts";
import type { ConversationId, TurnId } from "../../src/ids.ts";

/** What the tools of one run share. Never serialized: a run's saved state must not hold what belongs to the process. */
export interface TurnContext {
  readonly turn: TurnId;
  readonly attempt: number;
  readonly signal: AbortSignal;
  readonly blobs: Blobs;
  readonly conversation: ConversationId;
  readonly now: () => number;
  /**
   * The idempotency key of the next side effect: the turn and the call's place in it, never the attempt, so that a turn that
   * runs again asks for the same effect by the same key.
   */
  readonly nextKey: () => string;
  /** What the tools put into the answer, besides the model's text. */
  readonly attached: Answer["parts"][number][];
  choices: { readonly question: string; readonly buttons: readonly Button[] } | undefined;
  readonly toJSON: () => unknown;
}

export function createTurnContext(of: {
  readonly turn: TurnId;
  readonly attempt: number;
  readonly signal: AbortSignal;
  readonly blobs: Blobs;
  readonly conversation: ConversationId;
  readonly now: () => number;
}): TurnContext {
  let calls = 0;
  return {
    ...of,
    nextKey: () => `${of.turn}:${(calls += 1)}`,
    attached: [],
    choices: undefined,
    toJSON: () => ({ turn: of.turn }),
  };
}
