/** What was set aside, in a few logs by conversation: replicas that write for different ones seldom meet. */
import { digestOf } from "../../src/ids.ts";
import type { Journal, SetAside } from "../../src/ports.ts";
import { createPagedLog } from "./log.ts";
import type { DaprRecords } from "./records.ts";

const shards = 16;
/** Of one shard; older ones are removed. */
const mostPages = 1_000;

export function createJournal(records: DaprRecords): Journal {
  const log = createPagedLog({ records, prefix: "journal", once: false, mostPages });
  const shardOf = (conversation: string) => String(digestOf(conversation).charCodeAt(0) % shards);

  async function newest(shard: string, limit: number, conversation?: string): Promise<SetAside[]> {
    const entries = await log.list(
      shard,
      { limit },
      conversation === undefined ? undefined : ({ entry }) => (entry as SetAside).conversation === conversation,
    );
    return entries.map(({ entry }) => entry as SetAside).toReversed();
  }

  return {
    async setAside(entries) {
      const byShard = Map.groupBy(entries, ({ conversation }) => shardOf(conversation));
      await Promise.all(
        [...byShard].map(([shard, own]) =>
          log.append(
            shard,
            own.map((entry) => ({ key: entry.id, at: entry.at, entry })),
          ),
        ),
      );
    },
    async list({ conversation, limit }) {
      if (conversation !== undefined) return newest(shardOf(conversation), limit, conversation);
      const all = await Promise.all(Array.from({ length: shards }, (_, shard) => newest(String(shard), limit)));
      return all
        .flat()
        .toSorted((a, b) => b.at - a.at)
        .slice(0, limit);
    },
  };
}
