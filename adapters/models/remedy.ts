/** What is done about a failed try of a model. */
import { BusyError, RateLimitedError, RetryableError, TerminalError } from "../../src/errors.ts";
import { TooLongError, UnavailableError } from "./failures.ts";
import { LineTooLongError } from "./gate.ts";

export type Remedy =
  /** None: the request is at fault, for every model. */
  | { readonly kind: "none" }
  /** The same model, first in its line. */
  | { readonly kind: "line" }
  /** The same model after a while. */
  | { readonly kind: "again"; readonly afterMs: number }
  /** Another model. `weight`: what it counts against this one, where it counts. */
  | { readonly kind: "leave"; readonly weight?: number };

export interface Tries {
  /** Of this request by this model, this one included: refused for now, and failed in a way that may pass. */
  readonly refusals: number;
  readonly faults: number;
  /** Further ones after the latter. */
  readonly retries: number;
  /** Another model is left that works. */
  readonly others: boolean;
  /** Until the provider is asked again. */
  readonly pausedMs: number;
  /** This model is waited for no longer than this. */
  readonly patienceMs: number;
}

const firstPauseMs = 500;
const mostPauseMs = 8_000;
/** A server's own wish is granted up to this. */
const longestRetryMs = 60_000;
/** A request that is refused so often is not refused for what others ask. */
const mostRefusals = 6;

export function remedyOf(error: unknown, tries: Tries): Remedy {
  if (error instanceof TooLongError) return { kind: "leave" };
  // An answer that cannot be read is asked for again by whoever wants it.
  if (error instanceof RetryableError) return { kind: "leave", weight: 1 };
  if (!(error instanceof UnavailableError)) return { kind: "none" };
  const { trouble, retryAfterMs = Infinity } = error;
  if (trouble === "limit") {
    return tries.refusals < mostRefusals && tries.pausedMs <= tries.patienceMs ? { kind: "line" } : { kind: "leave" };
  }
  if (isPassing(error) && tries.faults <= furtherTries(error, tries)) {
    const backoffMs = Math.min(firstPauseMs * 2 ** (tries.faults - 1), mostPauseMs);
    const afterMs = retryAfterMs < longestRetryMs ? retryAfterMs : backoffMs;
    if (!tries.others || afterMs <= tries.patienceMs) return { kind: "again", afterMs };
  }
  // What costs the person minutes, or does not pass by itself, is not tried three times.
  return { kind: "leave", weight: trouble === "failing" || trouble === "connection" ? 1 : 3 };
}

/** The next request may not fail so. */
export function isPassing(error: unknown): boolean {
  return error instanceof UnavailableError && ["failing", "timeout", "connection"].includes(error.trouble);
}

function furtherTries({ trouble }: UnavailableError, { retries, others }: Tries): number {
  if (!others) return retries;
  return trouble === "timeout" ? 0 : Math.min(retries, 1);
}

/**
 * When no model is left: who could not be answered in time is told to come back, and whoever works on a task comes back by itself.
 * @param error the last one's.
 */
export function finalError(error: unknown): unknown {
  const limited = error instanceof UnavailableError && error.trouble === "limit";
  if (!limited && !(error instanceof LineTooLongError)) return error ?? new TerminalError("no model could be asked");
  const retryAfterMs = error instanceof LineTooLongError ? error.expectedMs : (error.retryAfterMs ?? 60_000);
  const cause = new RateLimitedError(error.message, { retryAfterMs });
  return new BusyError(`no model has room: ${error.message}`, { cause });
}
