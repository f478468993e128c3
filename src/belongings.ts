/**
 * Records in which words of a conversation rest under other keys than its own. Each is noted beside the conversation, so that
 * /forget finds it; the notes of records that end by themselves go away after them.
 */
import { z } from "zod";
import type { ConversationId, MessageId } from "./ids.ts";
import type { Clock, Runtime } from "./ports.ts";
import { createRecent } from "./recent.ts";

/** Longer than any record lives that is noted without `lasts`. */
const periodMs = 10 * 24 * 3_600_000;
/** How long this process knows that a list is this period's. */
const knownMs = 3_600_000;
const pageSize = 500;
const note = z.object({ v: z.literal(1), of: z.string().optional() });

export interface Belongings {
  /**
   * Beside the write of the record, and before anybody is told that it is there. Again changes nothing.
   * @param options.of the message that the record answers: it stays while that one asks for everything to be erased.
   * @param options.lasts the record may live longer than ten days.
   */
  note(
    conversation: ConversationId,
    record: string,
    options?: { readonly of?: MessageId; readonly lasts?: boolean },
  ): Promise<void>;
  /** Deletes the records, but those of one message. */
  erase(conversation: ConversationId, but?: MessageId): Promise<void>;
}

export function createBelongings(
  { records, transcript }: Pick<Runtime, "records" | "transcript">,
  clock: Clock,
): Belongings {
  const current = createRecent<string, number>(clock, knownMs);
  const lasting = (conversation: ConversationId) => `kept:${conversation}`;
  /** Two that take turns: what stands in one when its turn comes again is over. */
  const passing = (conversation: ConversationId, turn: number) => `kept:${conversation}:${turn % 2}`;
  const periodOf = (at: number) => Math.floor(at / periodMs);

  async function begin(list: string, period: number): Promise<void> {
    if (current.get(list) === period) return;
    const [latest] = await transcript.list(list, { before: Number.MAX_SAFE_INTEGER, limit: 1 });
    if (latest !== undefined && periodOf(latest.at) < period) await transcript.clear(list);
    current.set(list, period);
  }

  async function eraseAll(list: string, but: MessageId | undefined): Promise<void> {
    let stays = false;
    for (let after = 0; ;) {
      const notes = await transcript.list(list, { after, limit: pageSize });
      const gone = notes.filter(({ entry }) => but === undefined || note.parse(entry).of !== but);
      stays ||= gone.length < notes.length;
      await Promise.all(gone.map(({ key }) => records.remove(key)));
      if (notes.length < pageSize) break;
      after = notes.at(-1)?.n ?? after;
    }
    // Last: until then another try finds them.
    if (!stays) await transcript.clear(list);
  }

  return {
    async note(conversation, record, { of, lasts = false } = {}) {
      const now = periodOf(clock.now());
      const list = lasts ? lasting(conversation) : passing(conversation, now);
      if (!lasts) await begin(list, now);
      await transcript.append(list, record, { v: 1, ...(of === undefined ? {} : { of }) });
    },
    async erase(conversation, but) {
      for (const list of [passing(conversation, 0), passing(conversation, 1), lasting(conversation)])
        await eraseAll(list, but);
    },
  };
}
