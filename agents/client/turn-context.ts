import type { Answer, Button } from "../../src/message.ts";
import type { Blobs } from "../../src/ports.ts";
import type { ConversationId, TurnId } from "../../src/ids.ts";
import type { AskPerson, CallFile } from "../../src/tools.ts";

/** What the tools of one run share. Never serialized: a run's saved state must not hold what belongs to the process. */
export interface TurnContext {
  readonly turn: TurnId;
  readonly attempt: number;
  readonly signal: AbortSignal;
  readonly blobs: Blobs;
  readonly conversation: ConversationId;
  readonly now: () => number;
  /**
   * The idempotency key of a tool's next call: the turn and the call's place among that tool's, never the attempt, so that a
   * turn that runs again asks for the same effect by the same key.
   */
  readonly nextKey: (tool: string) => string;
  /** What the one who let the run go on said about it. */
  readonly note: string | undefined;
  /** What a tool is doing, in a few words, for the person to see. */
  readonly progress: (text: string) => void;
  /** Absent where nobody could answer while a call waits. */
  readonly ask: AskPerson | undefined;
  /** Those of the new messages. */
  readonly files: readonly CallFile[];
  /** The agents that they came through. */
  readonly chain: readonly string[];
  /** What goes into the answer besides the model's text: files of what the gateway told, and what tools put there. */
  readonly attached: Answer["parts"][number][];
  /** Of a text that goes to the person beside the answer's; absent where there are no rules about that. */
  readonly mayShow: ((text: string) => Promise<boolean>) | undefined;
  /** The model has had content from outside before it: see `content.ts`. It never becomes false again. */
  content: boolean;
  choices: { readonly question: string; readonly buttons: readonly Button[] } | undefined;
  /** A person of the operator's is to take over. */
  handsOver: { readonly reason: string } | undefined;
  readonly toJSON: () => unknown;
}

export function createTurnContext(of: {
  readonly turn: TurnId;
  readonly attempt: number;
  readonly signal: AbortSignal;
  readonly blobs: Blobs;
  readonly conversation: ConversationId;
  readonly now: () => number;
  readonly note?: string | undefined;
  readonly progress: (text: string) => void;
  readonly ask?: AskPerson | undefined;
  readonly files: readonly CallFile[];
  readonly chain: readonly string[];
  readonly attached: readonly Answer["parts"][number][];
  readonly content: boolean;
  readonly mayShow?: ((text: string) => Promise<boolean>) | undefined;
}): TurnContext {
  const calls = new Map<string, number>();
  return {
    ...of,
    note: of.note,
    ask: of.ask,
    mayShow: of.mayShow,
    nextKey(tool) {
      const n = (calls.get(tool) ?? 0) + 1;
      calls.set(tool, n);
      return `${of.turn}:${tool}:${n}`;
    },
    attached: [...of.attached],
    choices: undefined,
    handsOver: undefined,
    toJSON: () => ({ turn: of.turn }),
  };
}

/** Unless a run's context is known to have none, there may be some. */
export function isAfterContent(context: unknown): boolean {
  return (context as Partial<TurnContext> | undefined)?.content !== false;
}
