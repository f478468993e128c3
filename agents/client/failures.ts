import { GuardrailExecutionError, MaxTurnsExceededError } from "@openai/agents";
import { untilAborted } from "../../src/abort.ts";
import { InputError, RetryableError, TerminalError } from "../../src/errors.ts";

/** Of a run, as its failures name it. */
export interface RunBounds {
  readonly model: string;
  readonly maxTurns: number;
}

/** What the run comes to. @throws the signal's reason, or what {@link finalError} makes of a failure. */
export async function settled<Result>(work: Promise<Result>, signal: AbortSignal, of: RunBounds): Promise<Result> {
  try {
    return await untilAborted(work, signal);
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw finalError(error, of);
  }
}

/** Retrying the run would repeat the same failure: the retries are within. Words of the SDK's errors may quote messages. */
function finalError(error: unknown, { model, maxTurns }: RunBounds): Error {
  if (error instanceof TerminalError) return error;
  if (error instanceof GuardrailExecutionError && error.error instanceof TerminalError) return error.error;
  if (error instanceof InputError) return new TerminalError(error.message);
  if (error instanceof MaxTurnsExceededError) {
    return new TerminalError(`the model went on calling tools and gave no answer in ${maxTurns} calls`);
  }
  if (error instanceof RetryableError) return new TerminalError(error.message, { cause: error });
  const kind = error instanceof Error ? error.constructor.name : typeof error;
  return new TerminalError(`the run on ${model} failed (${kind})`);
}
