import type { Clock } from "../../src/ports.ts";

/** Rejects with the signal's reason when it is aborted. */
export async function pause(clock: Clock, ms: number, signal: AbortSignal | undefined): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const cancel = clock.after(ms, resolve);
  signal?.addEventListener("abort", () => resolve(), { once: true });
  await promise;
  cancel();
  signal?.throwIfAborted();
}
