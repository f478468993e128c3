import type { Clock, Journal, SetAside } from "../../src/ports.ts";
import type { Store } from "./store.ts";

export interface EmbeddedJournal extends Journal {
  /** Deletes some of what is older than eight days; true while there may be more. */
  purge(): Promise<boolean>;
}

/** As long as ids of messages are remembered: a platform redelivers no later. */
const keptMs = 8 * 24 * 60 * 60 * 1000;
const purgeAtOnce = 500;

export function createJournal(store: Store, clock: Clock): EmbeddedJournal {
  const insert = store.prepare("INSERT INTO journal (id, conversation, rule, at) VALUES (?, ?, ?, ?)");
  const columns = "id, conversation, rule, at";
  const newest = store.prepare(`SELECT ${columns} FROM journal ORDER BY n DESC LIMIT ?`);
  const ofOne = store.prepare(`SELECT ${columns} FROM journal WHERE conversation = ? ORDER BY n DESC LIMIT ?`);
  // Entries come in the order of their time, near enough: the oldest stand first.
  const oldest = store.prepare("SELECT at FROM journal ORDER BY n LIMIT 1");
  const purge = store.prepare(
    `DELETE FROM journal WHERE n IN (SELECT n FROM journal ORDER BY n LIMIT ${purgeAtOnce}) AND at < ?`,
  );
  const ofRows = (rows: unknown[]) => (rows as SetAside[]).map((row) => ({ ...row }));

  return {
    async setAside(entries) {
      if (entries.length === 0) return;
      await store.write(() => {
        for (const entry of entries) insert.run(entry.id, entry.conversation, entry.rule, Math.round(entry.at));
      });
    },
    async list({ conversation, limit }) {
      return ofRows(conversation === undefined ? newest.all(limit) : ofOne.all(conversation, limit));
    },
    async purge() {
      const before = Math.round(clock.now() - keptMs);
      const first = oldest.get() as { at: number } | undefined;
      if (first === undefined || first.at >= before) return false;
      return (await store.write(() => Number(purge.run(before).changes))) === purgeAtOnce;
    },
  };
}
