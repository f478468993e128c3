/**
 * Records in which words of a conversation rest under other keys than its own. Each is noted beside the conversation, so that
 * /forget finds it; the notes of records that end by themselves go away after them.
 */
import { z } from "zod";
import type { ConversationId, MessageId } from "./ids.ts";
import type { Clock, Runtime } from "./ports.ts";
import { createRotatingLog, listsOf } from "./rotating-log.ts";

/** Longer than any record lives that is noted without `lasts`. */
const periodMs = 10 * 24 * 3_600_000;
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
  const passing = createRotatingLog(transcript, clock, periodMs);

  return {
    async note(conversation, record, { of, lasts = false } = {}) {
      const entry = of === undefined ? {} : { of };
      if (lasts) await transcript.append(nameOf(conversation), record, { v: 1, ...entry });
      else await passing.add(nameOf(conversation), record, entry);
    },
    async erase(conversation, but) {
      const name = nameOf(conversation);
      for (const list of [...listsOf(name), name]) await eraseNoted({ records, transcript }, list, but);
    },
  };
}

/** What lasts stands in a list of this name, the rest in those of a log of this name. */
const nameOf = (conversation: ConversationId) => `kept:${conversation}`;

/** Deletes the records that a list names, but those of one message, and the list. */
export async function eraseNoted(
  { records, transcript }: Pick<Runtime, "records" | "transcript">,
  list: string,
  but?: MessageId,
): Promise<void> {
  let [found, stays] = [false, false];
  for (let after = 0; ;) {
    const notes = await transcript.list(list, { after, limit: pageSize });
    found ||= notes.length > 0;
    const gone = notes.filter(({ entry }) => but === undefined || note.parse(entry).of !== but);
    stays ||= gone.length < notes.length;
    await Promise.all(gone.map(({ key }) => records.remove(key)));
    if (notes.length < pageSize) break;
    after = notes.at(-1)?.n ?? after;
  }
  // Last: until then another try finds them.
  if (!stays && found) await transcript.clear(list);
}
