/** Waiting that ends when nobody waits any more. */
import { fateOf, RetryableError } from "./errors.ts";
import type { Clock } from "./ports.ts";

const slowestRetryMs = 30_000;

export interface Waits {
  /** Resolves after so long, or as soon as the signal is aborted. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  /** As long as told, else twice as long each time, up to half a minute; never in step with others. */
  pause(error: unknown, failures: number, signal: AbortSignal): Promise<void>;
  /**
   * Until it works, or is no longer wanted: undefined then.
   * @param onFailure hears of every failure that is tried again.
   * @throws what no retry helps.
   */
  insist<Result>(
    signal: AbortSignal,
    run: () => Promise<Result>,
    onFailure: (error: unknown) => void,
  ): Promise<Result | undefined>;
}

export function createWaits(clock: Clock): Waits {
  const waits: Waits = {
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (signal.aborted) return resolve();
        const wake = () => {
          cancel();
          signal.removeEventListener("abort", wake);
          resolve();
        };
        const cancel = clock.after(ms, wake);
        signal.addEventListener("abort", wake);
      }),
    pause(error, failures, signal) {
      const told = error instanceof RetryableError ? error.retryAfterMs : undefined;
      const backoff = Math.min(slowestRetryMs, 500 * 2 ** Math.min(failures, 10));
      return waits.sleep(told ?? backoff * (0.5 + Math.random() / 2), signal);
    },
    async insist(signal, run, onFailure) {
      for (let failures = 0; !signal.aborted; failures += 1) {
        try {
          return await run();
        } catch (error) {
          if (fateOf(error).kind === "terminal") throw error;
          if (signal.aborted) return undefined;
          onFailure(error);
          await waits.pause(error, failures, signal);
        }
      }
      return undefined;
    },
  };
  return waits;
}
