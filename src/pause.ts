import { untilAborted } from "./abort.ts";
import type { Clock } from "./ports.ts";

/** Rejects with the signal's reason when it is aborted. */
export async function pause(clock: Clock, ms: number, signal: AbortSignal | undefined): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const cancel = clock.after(ms, resolve);
  try {
    await (signal === undefined ? promise : untilAborted(promise, signal));
  } finally {
    cancel();
  }
}
