/**
 * One replica holds a thing (a platform's socket) at a time. The lease is a record that its holder renews; another takes it
 * when the record has not changed for the whole lease on its own monotonic clock, so that no clock of another is trusted. A
 * holder that cannot renew lets go before that.
 */
import { z } from "zod";
import { ConflictError, reasonOf } from "./errors.ts";
import type { Clock, Log, Records } from "./ports.ts";

const leaseRecord = z.object({
  v: z.literal(1),
  /** The process that holds it; absent once it let go. */
  holder: z.string().optional(),
  /** Rises with every holder: what a former holder still does can be told from what the present one does. */
  token: z.number(),
  /** Where the holder can be asked, by other replicas. */
  address: z.string().optional(),
  /** Renewals, so that the record changes. */
  beat: z.number(),
});
type LeaseRecord = z.infer<typeof leaseRecord>;

const leaseKey = (name: string) => `lease:${name}`;

export interface LeaseOptions {
  readonly records: Records;
  readonly clock: Clock;
  readonly log: Log;
  readonly instance: string;
  /** Where others can ask the holder, for those who have to. */
  readonly address?: string | undefined;
  /** How long another waits after the holder's last sign of life. */
  readonly leaseMs: number;
}

/** Who holds it, or held it last and has not let go, and where that one can be asked. */
export async function leaseHolder(
  name: string,
  records: Records,
): Promise<{ readonly holder: string; readonly address?: string | undefined } | undefined> {
  const found = await records.get(leaseKey(name));
  if (found === undefined) return undefined;
  const { holder, address } = leaseRecord.parse(found.value);
  return holder === undefined ? undefined : { holder, address };
}

/**
 * Waits for the lease, runs `work` under it, and again whenever it was lost, until `signal` aborts. The signal that `work` gets
 * ends with the lease; the lease is let go when `work` has ended.
 */
export async function underLease(
  name: string,
  { records, clock, log, instance, leaseMs, address }: LeaseOptions,
  signal: AbortSignal,
  work: (signal: AbortSignal, token: number) => Promise<void>,
): Promise<void> {
  const key = leaseKey(name);
  const renewMs = leaseMs / 4;
  const about = { lease: name };

  const pause = (ms: number, until: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      if (until.aborted) return resolve();
      const end = () => {
        cancel();
        until.removeEventListener("abort", end);
        resolve();
      };
      const cancel = clock.after(ms, end);
      until.addEventListener("abort", end, { once: true });
    });

  /** @returns the record as this process wrote it, once it has the lease; undefined when `signal` aborts first. */
  async function acquire(): Promise<{ record: LeaseRecord; etag: string } | undefined> {
    let seen: { readonly etag: string | undefined; readonly at: number } | undefined;
    while (!signal.aborted) {
      try {
        const found = await records.get(key);
        const now = clock.monotonic();
        if (seen === undefined || seen.etag !== found?.etag) seen = { etag: found?.etag, at: now };
        const before = found === undefined ? undefined : leaseRecord.parse(found.value);
        if (before?.holder === undefined || now - seen.at >= leaseMs) {
          const reached = address === undefined ? {} : { address };
          const record: LeaseRecord = { v: 1, holder: instance, token: (before?.token ?? 0) + 1, ...reached, beat: 0 };
          return { record, etag: await records.put(key, record, { etag: found?.etag ?? null }) };
        }
      } catch (error) {
        if (!(error instanceof ConflictError))
          log.warn({ ...about, reason: reasonOf(error) }, "the lease cannot be read or written now");
      }
      await pause(Math.min(renewMs, 1_000), signal);
    }
    return undefined;
  }

  /** Until it is lost, or `done` aborts. */
  async function keep(held: { record: LeaseRecord; etag: string }, done: AbortSignal): Promise<void> {
    let renewedAt = clock.monotonic();
    while (!done.aborted) {
      await pause(renewMs, done);
      if (done.aborted) return;
      const at = clock.monotonic();
      try {
        const record = { ...held.record, beat: held.record.beat + 1 };
        held.etag = await records.put(key, record, { etag: held.etag });
        held.record = record;
        renewedAt = at;
      } catch (error) {
        if (error instanceof ConflictError) return log.warn(about, "the lease is lost: another replica has it");
        log.warn({ ...about, reason: reasonOf(error) }, "the lease cannot be renewed now");
      }
      if (clock.monotonic() - renewedAt >= leaseMs * 0.6)
        return log.warn(about, "the lease is let go: it was not renewed");
    }
  }

  async function release({ record, etag }: { record: LeaseRecord; etag: string }): Promise<void> {
    const { holder: _holder, address: _address, ...free } = record;
    await records.put(key, free, { etag }).catch((error: unknown) => {
      if (!(error instanceof ConflictError)) log.warn({ ...about, reason: reasonOf(error) }, "a lease ends by itself");
    });
  }

  while (!signal.aborted) {
    const held = await acquire();
    if (held === undefined) return;
    log.info({ ...about, token: held.record.token }, "the lease is ours");
    const over = new AbortController();
    const kept = keep(held, over.signal).finally(() => over.abort());
    const end = () => over.abort();
    if (signal.aborted) end();
    signal.addEventListener("abort", end, { once: true });
    try {
      await work(over.signal, held.record.token);
    } finally {
      signal.removeEventListener("abort", end);
      over.abort();
      await kept;
      await release(held);
    }
  }
}
