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
/** How long this process knows that the notes of an earlier period are gone. */
const clearedMs = 3_600_000;
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
  const cleared = createRecent<string, true>(clock, clearedMs);
  const lasting = (conversation: ConversationId) => `kept:${conversation}`;
  const passing = (conversation: ConversationId, period: number) => `kept:${conversation}:${period}`;
  const period = () => Math.floor(clock.now() / periodMs);

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
      const now = period();
      const list = lasts ? lasting(conversation) : passing(conversation, now);
      await transcript.append(list, record, { v: 1, ...(of === undefined ? {} : { of }) });
      if (lasts || cleared.get(list) !== undefined) return;
      await transcript.clear(passing(conversation, now - 2));
      cleared.set(list, true);
    },
    async erase(conversation, but) {
      const now = period();
      for (const list of [passing(conversation, now - 1), passing(conversation, now), lasting(conversation)])
        await eraseAll(list, but);
    },
  };
}
