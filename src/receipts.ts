/**
 * What platforms say of messages that they took. A failure goes back to the agent on topic "receipts", as one of delivery's own
 * does; delivered and read only move the conversation's marks, a small record that never goes back.
 */
import { z } from "zod";
import { reached, type Announce } from "./announce.ts";
import type { DeliveryMark, FailedMark, MarksIn, Outgoing } from "./channel.ts";
import { ConflictError } from "./errors.ts";
import { tellGivenUp } from "./given-up.ts";
import type { AccountRef, ConversationId } from "./ids.ts";
import type { OutboundEvent } from "./message.ts";
import type { Log, Records, Runtime } from "./ports.ts";
import { placeOf, type Place, type SentLog } from "./sent.ts";

const mark = z.object({ seq: z.number(), part: z.number(), step: z.string(), at: z.number() });
const marksRecord = z.object({ v: z.literal(1), delivered: mark.optional(), read: mark.optional() });
type Mark = z.infer<typeof mark>;

/** How far a conversation's answers got, as far as its platform tells. `at` is the platform's time. */
export interface Marks {
  readonly delivered?: { readonly seq: number; readonly at: number };
  readonly read?: { readonly seq: number; readonly at: number };
}

export interface ReceiptsOptions {
  readonly runtime: Pick<Runtime, "bus" | "deadLetters" | "records">;
  readonly log: Log;
  readonly sent: SentLog;
  readonly announce?: Announce | undefined;
  /** The parts of an answer as they were sent; undefined where its account is no more. */
  readonly partsOf: (entry: OutboundEvent) => readonly Outgoing[] | undefined;
}

interface Placed<Kind extends DeliveryMark> {
  readonly of: Kind;
  readonly place: Place;
}

/** Others write the same marks now and then. */
const mostTries = 10;

export function createReceipts({ runtime, log, sent, announce, partsOf }: ReceiptsOptions): MarksIn {
  const { records } = runtime;

  async function find(account: AccountRef, { key, id }: DeliveryMark): Promise<Place | undefined> {
    const known = key ?? (await sent.keyOf(account, id));
    return known === undefined ? undefined : placeOf(account, known);
  }

  async function move(conversation: ConversationId, all: readonly Placed<DeliveryMark>[]): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      const row = await records.get(keyOf(conversation));
      const before = marksRecord.safeParse(row?.value).data ?? { v: 1 };
      const after = all.reduce(moved, before);
      if (after === before) return;
      try {
        await records.put(keyOf(conversation), after, { etag: row?.etag ?? null });
        return;
      } catch (error) {
        if (!(error instanceof ConflictError) || tries === mostTries) throw error;
      }
    }
  }

  async function tellReached(all: readonly Placed<Exclude<DeliveryMark, FailedMark>>[]): Promise<void> {
    if (announce === undefined) return;
    for (const { of, place } of all) {
      const known = await sent.find(place);
      if (known !== undefined) await announce([reached(known.entry, of.kind, of.at)]);
    }
  }

  /** @returns false where nothing is known of it. */
  async function fail({ of: { reason, at }, place }: Placed<FailedMark>): Promise<boolean> {
    const known = await sent.find(place);
    if (known === undefined) return false;
    // An earlier message of the answer failed, or this one did before: an operator may have sent it again since.
    if (known.failed !== undefined) return true;
    const { conversation, seq } = place;
    // Sent twice, where the platform took one of both only.
    if (isSame(await read(records, conversation), place)) return true;
    log.error(
      { conversation, seq, reason },
      "an answer that the platform took has failed and is kept as a dead letter",
    );
    await tellGivenUp({ runtime, announce }, known.entry, { reason, tries: 1, at, late: true });
    await sent.failed(known.entry, at);
    return true;
  }

  return {
    async marks(account, marks) {
      const unknown: FailedMark[] = [];
      const failures: Placed<FailedMark>[] = [];
      const others: Placed<Exclude<DeliveryMark, FailedMark>>[] = [];
      for (const of of marks) {
        const place = await find(account, of);
        if (of.kind !== "failed") others.push(...(place === undefined ? [] : [{ of, place }]));
        else if (place === undefined) unknown.push(of);
        else failures.push({ of, place });
      }
      const conversations = new Set(others.map(({ place }) => place.conversation));
      for (const one of conversations)
        await move(
          one,
          others.filter(({ place }) => place.conversation === one),
        );
      await tellReached(others);
      for (const failure of failures) if (!(await fail(failure))) unknown.push(failure.of);
      return unknown;
    },
    async sent(account, key) {
      const place = placeOf(account, key);
      const known = place && (await sent.find(place));
      const part = known?.failed === undefined ? known && partsOf(known.entry)?.[place?.part ?? 0] : undefined;
      return part && known && { to: known.entry.to, part };
    },
  };
}

/** How far the platform says that the conversation's answers got. */
export async function readMarks(records: Records, conversation: ConversationId): Promise<Marks> {
  const { delivered, read: seen } = await read(records, conversation);
  return {
    ...(delivered && { delivered: { seq: delivered.seq, at: delivered.at } }),
    ...(seen && { read: { seq: seen.seq, at: seen.at } }),
  };
}

export async function forgetMarks(records: Records, conversation: ConversationId): Promise<void> {
  await records.remove(keyOf(conversation));
}

async function read(records: Records, conversation: ConversationId): Promise<z.infer<typeof marksRecord>> {
  return marksRecord.safeParse((await records.get(keyOf(conversation)))?.value).data ?? { v: 1 };
}

/** What is read is delivered too, whatever came first. */
function moved(before: z.infer<typeof marksRecord>, { of, place }: Placed<DeliveryMark>): z.infer<typeof marksRecord> {
  const { seq, part, step } = place;
  const here = { seq, part, step, at: of.at };
  const delivered = isBefore(before.delivered, here);
  const seen = of.kind === "read" && isBefore(before.read, here);
  if (!delivered && !seen) return before;
  return { ...before, ...(delivered ? { delivered: here } : {}), ...(seen ? { read: here } : {}) };
}

function isBefore(before: Mark | undefined, { seq, part, step }: Mark): boolean {
  if (before === undefined || before.seq !== seq) return before === undefined || before.seq < seq;
  return before.part < part || (before.part === part && before.step < step);
}

function isSame({ delivered }: z.infer<typeof marksRecord>, { seq, part, step }: Place): boolean {
  return delivered?.seq === seq && delivered.part === part && delivered.step === step;
}

function keyOf(conversation: ConversationId): string {
  return `receipts:${conversation}`;
}
