import type { Clock, Transcript, TranscriptEntry } from "../../src/ports.ts";
import type { Store } from "./store.ts";

interface Row {
  readonly n: number;
  readonly key: string;
  readonly at: number;
  readonly entry: string;
}

/** Numbers are reserved in blocks, so that a start knows where to go on without looking for the highest. */
const reserveAtOnce = 1000;

/** `n` rises over all conversations and never returns, also not after a conversation was cleared. */
export function createTranscript(store: Store, clock: Clock): Transcript {
  const findConversation = store.prepare("SELECT c FROM conversation WHERE id = ?");
  const addConversation = store.prepare("INSERT INTO conversation (id) VALUES (?)");
  const dropConversation = store.prepare("DELETE FROM conversation WHERE c = ?");
  const insert = store.prepare(
    "INSERT INTO transcript (c, n, key, at, entry) VALUES (?, ?, ?, ?, ?) ON CONFLICT (c, key) DO NOTHING",
  );
  const columns = "n, key, at, entry";
  const byKey = store.prepare(`SELECT ${columns} FROM transcript WHERE c = ? AND key = ?`);
  const ascending = store.prepare(
    `SELECT ${columns} FROM transcript WHERE c = ? AND n > ? AND n < ? ORDER BY n LIMIT ?`,
  );
  const descending = store.prepare(
    `SELECT ${columns} FROM transcript WHERE c = ? AND n > ? AND n < ? ORDER BY n DESC LIMIT ?`,
  );
  const clear = store.prepare("DELETE FROM transcript WHERE c = ?");
  const reserve = store.prepare("INSERT OR REPLACE INTO meta (name, value) VALUES ('transcript', ?)");
  const kept = store.prepare("SELECT value FROM meta WHERE name = 'transcript'").get() as { value: number } | undefined;
  let reserved = kept?.value ?? 0;
  let last = reserved;

  const find = (conversation: string): number | undefined =>
    (findConversation.get(conversation) as { c: number } | undefined)?.c;

  return {
    async append(conversation, key, entry) {
      const text = JSON.stringify(entry);
      const at = Math.round(clock.now());
      const n = ++last;
      const reservedNow = n > reserved ? n + reserveAtOnce : reserved;
      const write = () => {
        if (reservedNow > reserved) reserve.run(reservedNow);
        const c = find(conversation) ?? Number(addConversation.run(conversation).lastInsertRowid);
        if (insert.run(c, n, key, at, text).changes > 0) return { n, fresh: true };
        return { n: (byKey.get(c, key) as unknown as Row).n, fresh: false };
      };
      return store.write(write, { committed: () => void (reserved = Math.max(reserved, reservedNow)) });
    },
    async list(conversation, { after, before, limit }) {
      const c = find(conversation);
      if (c === undefined) return [];
      const forward = after !== undefined && before === undefined;
      const rows = (forward ? ascending : descending).all(c, after ?? 0, before ?? Number.MAX_SAFE_INTEGER, limit);
      const entries = (rows as unknown as Row[]).map(entryOf);
      return forward ? entries : entries.reverse();
    },
    async get(conversation, key) {
      const c = find(conversation);
      const row = c === undefined ? undefined : (byKey.get(c, key) as unknown as Row | undefined);
      return row === undefined ? undefined : entryOf(row);
    },
    async clear(conversation) {
      await store.write(() => {
        const c = find(conversation);
        if (c === undefined) return;
        clear.run(c);
        dropConversation.run(c);
      });
    },
  };
}

function entryOf(row: Row): TranscriptEntry {
  return { n: row.n, key: row.key, at: row.at, entry: JSON.parse(row.entry) as unknown };
}
