/**
 * Answers on platforms that report what becomes of them, kept while such a report may come: a record per answer, written before
 * its first part goes out, and one per message where the platform knows its own id only.
 */
import { z } from "zod";
import { sentMs, type Channel } from "./channel.ts";
import { readRecord } from "./delivery-record.ts";
import { ConflictError, reasonOf } from "./errors.ts";
import { encodePart, type AccountRef, type ConversationId } from "./ids.ts";
import { outboundEvent, type OutboundEvent } from "./message.ts";
import type { Log, Records } from "./ports.ts";

/** One message of an answer. */
export interface Place {
  readonly conversation: ConversationId;
  readonly seq: number;
  readonly part: number;
  /** What its channel put behind the key: of several messages that one part became. */
  readonly step: string;
}

const sentRecord = z.object({
  v: z.literal(1),
  /** Without its answer once it has failed. */
  entry: outboundEvent,
  /** When its failure was told. */
  failed: z.number().optional(),
});
export type SentRecord = z.infer<typeof sentRecord>;
const idRecord = z.object({ v: z.literal(1), key: z.string() });

export interface SentLog {
  /** Before anything of it is sent. Does nothing where the platform reports nothing. @throws InfrastructureError */
  keep(channel: Channel, entry: OutboundEvent): Promise<void>;
  /** The platform took a message and calls it so. Never rejects: at worst its marks are not known. */
  named(channel: Channel, key: string, id: string | undefined): Promise<void>;
  find(of: Pick<Place, "conversation" | "seq">): Promise<SentRecord | undefined>;
  /** Its failure is told: nothing more happens to it. */
  failed(entry: OutboundEvent, at: number): Promise<void>;
  keyOf(account: AccountRef, id: string): Promise<string | undefined>;
}

export function createSentLog(records: Records, log: Log): SentLog {
  return {
    async keep({ traits }, entry) {
      if (traits.receipts === false) return;
      const { conversation } = entry.to;
      try {
        await records.put(recordKey(conversation, entry.seq), { v: 1, entry }, { etag: null, ttlMs: sentMs });
      } catch (error) {
        // An earlier try has kept it, and what became of that may stand there already.
        if (!(error instanceof ConflictError)) throw error;
      }
    },
    async named(channel, key, id) {
      if (channel.traits.receipts !== "id" || id === undefined) return;
      await records.put(idKey(channel, id), { v: 1, key }, { ttlMs: sentMs }).catch((error: unknown) => {
        log.warn({ key, reason: reasonOf(error) }, "what becomes of a message will not be known");
      });
    },
    async find({ conversation, seq }) {
      const row = await records.get(recordKey(conversation, seq));
      return sentRecord.safeParse(row?.value).data;
    },
    async failed(entry, at) {
      const without = { ...entry, answer: { parts: [] } };
      const row = { v: 1, entry: without, failed: at };
      await records.put(recordKey(entry.to.conversation, entry.seq), row, { ttlMs: sentMs });
    },
    async keyOf(account, id) {
      const row = await records.get(idKey(account, id));
      return idRecord.safeParse(row?.value).data?.key;
    },
  };
}

/** Undefined for what is no key of a message of this account. */
export function placeOf(account: AccountRef, key: string): Place | undefined {
  const [, conversation = "", seq, part, step = ""] = /^([^#]+)#(\d+)\.(\d+)(?:\/(\w+))?$/.exec(key) ?? [];
  if (!conversation.startsWith(`${prefixOf(account)}:`)) return undefined;
  return { conversation: conversation as ConversationId, seq: Number(seq), part: Number(part), step };
}

/** Between two answers that are kept there may be some whose keeping was not needed or has ended. */
const mostMissing = 8;

/** The words of what was sent, from the latest back to where nothing is kept. */
export async function forgetSent(records: Records, conversation: ConversationId): Promise<void> {
  const { record } = await readRecord(records, conversation);
  for (let seq = record.seq + 1, missing = 0; seq > 0 && missing < mostMissing; seq -= 1) {
    const key = recordKey(conversation, seq);
    missing = (await records.get(key)) === undefined ? missing + 1 : 0;
    if (missing === 0) await records.remove(key);
  }
}

function recordKey(conversation: ConversationId, seq: number): string {
  return `sent:${conversation}#${seq}`;
}

function idKey(account: AccountRef, id: string): string {
  return `sent-id:${prefixOf(account)}:${encodePart(id)}`;
}

function prefixOf({ tenant, channel, account }: AccountRef): string {
  return [tenant, channel, account].map(encodePart).join(":");
}
