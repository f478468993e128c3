/** Delivery records of conversations that were quiet for a short time only: their next answer need not read them again. */
import type { KnownRecord } from "./delivery-record.ts";
import type { ConversationId } from "./ids.ts";
import type { Clock } from "./ports.ts";

const knownMs = 60_000;

export interface KnownRecords {
  get(conversation: ConversationId): KnownRecord | undefined;
  set(conversation: ConversationId, known: KnownRecord): void;
  delete(conversation: ConversationId): void;
}

export function createKnownRecords(clock: Clock): KnownRecords {
  /** The longest quiet first. */
  const records = new Map<ConversationId, { readonly known: KnownRecord; readonly at: number }>();
  let sweeping = false;

  function sweepLater(): void {
    if (sweeping) return;
    sweeping = true;
    clock.after(knownMs / 2, () => {
      sweeping = false;
      for (const [conversation, { at }] of records) {
        if (at + knownMs > clock.monotonic()) break;
        records.delete(conversation);
      }
      if (records.size > 0) sweepLater();
    });
  }

  return {
    get: (conversation) => records.get(conversation)?.known,
    set(conversation, known) {
      records.delete(conversation);
      records.set(conversation, { known, at: clock.monotonic() });
      sweepLater();
    },
    delete: (conversation) => void records.delete(conversation),
  };
}
