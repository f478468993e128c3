/** Our own store, bus or sidecar is away: nothing of the turn could be kept meanwhile, so that what needs it waits. */
import { InfrastructureError, reasonOf } from "../../src/errors.ts";
import { pause } from "../../src/pause.ts";
import type { Clock, Log } from "../../src/ports.ts";

export interface Patience {
  readonly clock: Clock;
  readonly log: Log;
  /** The turn's: who is not wanted any more does not wait. */
  readonly signal: AbortSignal;
  /** False where it cannot be done again. */
  readonly mayRepeat?: () => boolean;
}

const firstMs = 250;
const lastMs = 5_000;

/** Does it, again and again while our own infrastructure fails. What it did before may be there: it has to be known by its key. */
export async function throughOutages<Result>(
  what: string,
  work: () => Promise<Result>,
  { clock, log, signal, mayRepeat = () => true }: Patience,
): Promise<Result> {
  for (let waitMs = firstMs; ; waitMs = Math.min(waitMs * 2, lastMs)) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof InfrastructureError) || signal.aborted || !mayRepeat()) throw error;
      log.warn({ what, reason: reasonOf(error) }, "a turn waits for our own infrastructure");
      await pause(clock, waitMs, signal);
    }
  }
}
