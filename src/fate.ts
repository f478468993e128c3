/** How a rejected actor call crosses processes: its fate and its words survive, its class by kind. */
import { fateOf, InfrastructureError, InputError, reasonOf, RetryableError, TerminalError } from "./errors.ts";

export type Outcome =
  | { readonly result: unknown }
  | {
      readonly failed: {
        readonly kind: "terminal" | "infrastructure" | "error";
        readonly reason: string;
        readonly afterMs?: number;
      };
    };

export function failureOf(error: unknown): Outcome {
  const fate = fateOf(error);
  const reason = error instanceof InputError ? error.message : reasonOf(error);
  if (fate.kind === "terminal") return { failed: { kind: "terminal", reason } };
  const kind = fate.counts ? "error" : "infrastructure";
  return { failed: { kind, reason, ...(fate.afterMs === undefined ? {} : { afterMs: fate.afterMs }) } };
}

/** @throws what the other process says. */
export function outcomeOf(outcome: Outcome): unknown {
  if ("result" in outcome) return outcome.result;
  const { kind, reason, afterMs } = outcome.failed;
  const options = afterMs === undefined ? {} : { retryAfterMs: afterMs };
  if (kind === "terminal") throw new TerminalError(reason);
  if (kind === "infrastructure") throw new InfrastructureError(reason, options);
  throw new RetryableError(reason, options);
}
