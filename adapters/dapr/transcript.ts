import type { Clock, Transcript } from "../../src/ports.ts";
import { createPagedLog } from "./log.ts";
import type { DaprRecords } from "./records.ts";

/** Of one conversation; older ones are removed. */
const mostPages = 1_000;

export function createTranscript(records: DaprRecords, clock: Clock): Transcript {
  const log = createPagedLog({ records, prefix: "transcript", once: true, mostPages });
  return {
    async append(conversation, key, entry) {
      const [result] = await log.append(conversation, [{ key, at: Math.round(clock.now()), entry }]);
      return result ?? { n: 0, fresh: false };
    },
    list: (conversation, range) => log.list(conversation, range),
    get: (conversation, key) => log.get(conversation, key),
    clear: (conversation) => log.clear(conversation),
  };
}
