/** Server-sent events of what comes one after the other, with signs of life in between. */
import { formatSSEErrorEvent, formatSSEEvent } from "@a2a-js/sdk";
import type { Clock } from "../../src/ports.ts";

/** Sooner than any proxy gives up on a silent connection. */
const pingMs = 15_000;
const silent = Symbol("silent");

export const eventHeaders = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-cache, no-transform",
  "x-accel-buffering": "no",
};

export interface EventsOptions {
  readonly clock: Clock;
  /** The client went away, or all is said. */
  readonly gone: () => void;
  /** What is told of an error in the middle. */
  readonly failure: (error: unknown) => unknown;
}

/** @param first what was taken from `events` already. */
export function eventStream(
  first: IteratorResult<unknown, unknown>,
  events: AsyncIterator<unknown>,
  { clock, gone, failure }: EventsOptions,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let next: Promise<IteratorResult<unknown, unknown>> | undefined = Promise.resolve(first);
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const say = (text: string) => controller.enqueue(encoder.encode(text));
        next ??= events.next();
        const { promise: pause, resolve } = Promise.withResolvers<typeof silent>();
        const cancel = clock.after(pingMs, () => resolve(silent));
        try {
          const one = await Promise.race([next, pause]);
          if (one === silent) return say(": ping\n\n");
          next = undefined;
          if (one.done !== true) return say(formatSSEEvent(one.value));
          gone();
          return controller.close();
        } catch (error) {
          say(formatSSEErrorEvent(failure(error)));
          gone();
          return controller.close();
        } finally {
          cancel();
        }
      },
      cancel() {
        gone();
        // It may wait for what never comes: the signal that `gone` aborts ends it.
        void events.return?.().then(undefined, () => undefined);
      },
    },
    { highWaterMark: 0 },
  );
}
