import { LRUCache } from "lru-cache";
import { InputError } from "../../src/errors.ts";
import type { Clock } from "../../src/ports.ts";

const hourMs = 60 * 60 * 1000;

/**
 * What each session may upload within an hour, so that one cannot crowd out the others. Kept in memory: it begins anew with
 * every process, and the store's own limit is what protects the disk.
 */
export function createAllowance(clock: Clock, bytesPerHour: number) {
  const sessions = new LRUCache<string, { readonly until: number; bytes: number }>({ max: 10_000 });

  function hourOf(session: string) {
    const now = clock.monotonic();
    let hour = sessions.get(session);
    if (hour === undefined || hour.until <= now) sessions.set(session, (hour = { until: now + hourMs, bytes: 0 }));
    return hour;
  }

  /** @throws InputError (429) where so many bytes more are too many. */
  function ask(session: string, bytes: number): void {
    const hour = hourOf(session);
    if (hour.bytes + bytes <= bytesPerHour) return;
    const minutes = Math.ceil((hour.until - clock.monotonic()) / 60_000);
    throw new InputError(`Too much was uploaded within an hour: try again in ${minutes} minutes.`, { status: 429 });
  }

  return {
    ask,
    /** The same body, whose bytes count as they come; past the allowance it fails as {@link ask} does. */
    count(session: string, body: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
      return body.pipeThrough(
        new TransformStream<Uint8Array, Uint8Array>({
          transform(chunk, controller) {
            ask(session, chunk.byteLength);
            hourOf(session).bytes += chunk.byteLength;
            controller.enqueue(chunk);
          },
        }),
      );
    },
  };
}
