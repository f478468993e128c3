/** Dead letters: a record each, and a log of their ids. One that is retried or dropped leaves its id in the log. */
import type { Bus, DeadLetter, DeadLetters, ListedLetter } from "../../src/ports.ts";
import { createPagedLog } from "./log.ts";
import type { DaprRecords } from "./records.ts";

const mostPages = 1_000;
const logName = "all";

export function createDeadLetters(records: DaprRecords, bus: Bus): DeadLetters {
  const log = createPagedLog({ records, prefix: "deadletters", once: false, mostPages });
  const keyOf = (id: string) => `deadletter:${id}`;

  async function get(id: string): Promise<DeadLetter | undefined> {
    return (await records.get(keyOf(id)))?.value as DeadLetter | undefined;
  }

  async function drop(id: string): Promise<boolean> {
    const letter = await get(id);
    if (letter !== undefined) await records.remove(keyOf(id));
    return letter !== undefined;
  }

  return {
    async add(letter) {
      const known = await get(letter.id);
      await records.put(keyOf(letter.id), letter);
      if (known === undefined) await log.append(logName, [{ key: letter.id, at: letter.at, entry: null }]);
    },
    async list(limit, from = Infinity) {
      const found: ListedLetter[] = [];
      const seen = new Set<string>();
      for (let before = from; found.length < limit;) {
        const ids = await log.list(logName, { before, limit });
        if (ids.length === 0) break;
        for (const { key, n } of ids.toReversed()) {
          if (seen.has(key)) continue;
          seen.add(key);
          const letter = await get(key);
          if (letter !== undefined) found.push({ ...letter, n });
        }
        before = ids[0]?.n ?? 0;
      }
      return found.slice(0, limit);
    },
    get,
    async retry(id) {
      const letter = await get(id);
      if (letter === undefined) return false;
      await bus.publish(letter.topic, [letter.event]);
      return drop(id);
    },
    drop,
  };
}
