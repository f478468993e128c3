/**
 * The delivery record of a conversation: plain state with an ETag that says what is done. Whoever delivers there reads it
 * first and writes it after every part.
 */
import { z } from "zod";
import { ConflictError, reasonOf } from "./errors.ts";
import type { ConversationId } from "./ids.ts";
import type { Clock, Log, Records } from "./ports.ts";

const deliveryRecord = z.object({
  v: z.literal(1),
  /** Everything up to it is sent or given up. */
  seq: z.number(),
  /** Parts of `seq + 1` that are sent. */
  part: z.number(),
  /** The process that is delivering now. */
  claim: z.object({ by: z.string() }).optional(),
  /** `seq + 1` will not be sent any more; its dead letter may not be written yet. */
  givenUp: z.object({ reason: z.string(), tries: z.number() }).optional(),
});
type DeliveryRecord = z.infer<typeof deliveryRecord>;
export type GivenUp = NonNullable<DeliveryRecord["givenUp"]>;

/** Another process's claim counts as long as it was renewed within this time; a holder renews it three times as often. */
const claimMs = 30_000;
export const renewMs = claimMs / 3;

/** A record as it was last read or written. */
export interface KnownRecord {
  readonly record: DeliveryRecord;
  readonly etag: string | null;
}

export interface RecordKeeper {
  readonly record: DeliveryRecord;
  /** What a later keeper may begin with: where it is out of date, its first claim is refused. */
  known(): KnownRecord;
  load(): Promise<void>;
  /**
   * Where other processes may deliver too, a conversation is claimed before anything is sent there, and again while it takes
   * long. Of two that try, one wins by the ETag. Another's claim is over when the record has not changed for {@link claimMs}
   * on this process's own monotonic clock (`pause` waits so long): no clock of another is trusted.
   * @throws ConflictError for the loser, who drops what it has: the winner, or the agent's watchdog, delivers it.
   */
  claim(pause: (ms: number) => Promise<void>): Promise<void>;
  /** While a send takes long. Never rejects; does nothing without a claim. */
  renew(): void;
  /** What is sent must not be forgotten, or it would be sent again: while the store is down this waits. */
  write(done: { seq?: number; part: number; givenUp?: GivenUp }): Promise<void>;
}

export interface RecordKeeperOptions {
  readonly records: Records;
  readonly clock: Clock;
  readonly log: Log;
  readonly instance: string;
  /** No other process delivers. */
  readonly exclusive: boolean;
  readonly known?: KnownRecord | undefined;
}

export async function readRecord(records: Records, conversation: ConversationId) {
  const row = await records.get(deliveryKey(conversation));
  if (row === undefined) return { record: { v: 1, seq: 0, part: 0 } as DeliveryRecord, etag: null };
  return { record: deliveryRecord.parse(row.value), etag: row.etag };
}

export function keepRecord(conversation: ConversationId, options: RecordKeeperOptions): RecordKeeper {
  const { records, clock, log, instance, exclusive } = options;
  let { record, etag }: KnownRecord = options.known ?? { record: { v: 1, seq: 0, part: 0 }, etag: null };
  /** When this process last wrote its claim, on the monotonic clock. */
  let claimedAt: number | undefined;

  async function load(): Promise<void> {
    ({ record, etag } = await readRecord(records, conversation));
  }

  async function putClaim(): Promise<void> {
    const claimed = { ...record, claim: { by: instance } };
    const before = etag;
    const at = clock.monotonic();
    const after = await records.put(deliveryKey(conversation), claimed, { etag: before });
    // A send that ended meanwhile has written more.
    if (etag === before) [record, etag, claimedAt] = [claimed, after, at];
  }

  const isFresh = (): boolean => claimedAt !== undefined && clock.monotonic() - claimedAt < renewMs;

  return {
    get record() {
      return record;
    },
    known: () => ({ record, etag }),
    load,
    async claim(pause) {
      if (exclusive || isFresh()) return;
      if (record.claim !== undefined && record.claim.by !== instance) {
        const seen = etag;
        await pause(claimMs);
        await load();
        if (etag !== seen) throw new ConflictError("another process delivers this conversation");
      }
      await putClaim();
    },
    renew() {
      if (claimedAt === undefined || isFresh()) return;
      putClaim().catch((error: unknown) => {
        log.warn({ conversation, reason: reasonOf(error) }, "the claim on a long delivery could not be renewed");
      });
    },
    async write(done) {
      const goesOn = done.seq === undefined && record.claim !== undefined;
      const next: DeliveryRecord = { v: 1, seq: record.seq, ...done, ...(goesOn ? { claim: record.claim } : {}) };
      for (let attempt = 0; ; attempt++) {
        try {
          etag = await records.put(deliveryKey(conversation), next, { etag });
          record = next;
          if (!goesOn) claimedAt = undefined;
          return;
        } catch (error) {
          if (error instanceof ConflictError) {
            const now = await readRecord(records, conversation).catch(() => undefined);
            etag = now?.etag ?? etag;
            if (now !== undefined && !isBefore(now.record, next)) {
              record = now.record;
              return;
            }
          }
          log.warn({ conversation, attempt, reason: reasonOf(error) }, "what was sent could not be recorded yet");
          await new Promise<void>((resolve) => clock.after(Math.min(50 * 2 ** attempt, 2_000), resolve));
        }
      }
    },
  };
}

export function deliveryKey(conversation: ConversationId): string {
  return `delivery:${conversation}`;
}

function isBefore(a: DeliveryRecord, b: DeliveryRecord): boolean {
  return a.seq < b.seq || (a.seq === b.seq && a.part < b.part);
}
