/**
 * Records of ratings and of reviews, noted beside their conversation: by that they are found again there, and erased also where answers
 * are not rated any more.
 */
import { z } from "zod";
import { eraseNoted } from "./belongings.ts";
import { digestOf, type AgentId, type ConversationId } from "./ids.ts";
import type { Clock, Records, Runtime } from "./ports.ts";
import { createRotatingLog, listsOf } from "./rotating-log.ts";

export interface FeedbackRecords {
  /** Before the record is there. Again changes nothing. */
  note(conversation: ConversationId, record: string): Promise<void>;
  /** Of that kind, the latest noted first. */
  latest(conversation: string, prefix: string, limit: number): Promise<readonly string[]>;
}

type Stores = Pick<Runtime, "records" | "transcript">;

/** @param keptMs how long such a record lives since it was changed. */
export function createFeedbackRecords(stores: Stores, clock: Clock, keptMs: number): FeedbackRecords {
  const log = createRotatingLog(
    stores.transcript,
    clock,
    keptMs,
    async (record) => (await stores.records.get(record)) !== undefined,
  );
  return {
    note: (conversation, record) => log.add(nameOf(conversation), record),
    async latest(conversation, prefix, limit) {
      const found: string[] = [];
      for await (const record of log.newest(nameOf(conversation))) {
        if (record.startsWith(prefix)) found.push(record);
        if (found.length >= limit) break;
      }
      return found;
    },
  };
}

const readAtOnce = 50;

/** What stands behind the names, in their order; of at most so many names. */
export async function* readNamed<Value>(
  names: AsyncIterable<string>,
  most: number,
  read: (name: string) => Promise<Value | undefined>,
): AsyncIterable<Value> {
  let looked = 0;
  let batch: string[] = [];
  const found = async () => (await Promise.all(batch.map(read))).filter((one) => one !== undefined);
  for await (const name of names) {
    batch.push(name);
    looked += 1;
    if (looked === most) break;
    if (batch.length < readAtOnce) continue;
    yield* await found();
    batch = [];
  }
  yield* await found();
}

/** Whatever is kept of what people think of answers there. */
export async function forgetFeedback(stores: Stores, conversations: readonly string[]): Promise<void> {
  for (const conversation of conversations)
    for (const list of listsOf(nameOf(conversation))) await eraseNoted(stores, list);
}

const forgotten = z.object({ at: z.number() });

/** Whether the person has had everything erased since the agent gave that answer. */
export async function isForgotten(
  records: Records,
  { agent, at }: { readonly agent: AgentId; readonly at: number },
): Promise<boolean> {
  const gone = forgotten.safeParse((await records.get(`forgotten:${digestOf(agent)}`))?.value).data;
  return gone !== undefined && gone.at >= at;
}

const nameOf = (conversation: string) => `feedback:${conversation}`;
