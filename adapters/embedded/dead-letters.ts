import { topics, type CloudEvent, type DeadLetter, type DeadLetters } from "../../src/ports.ts";
import type { EmbeddedBus } from "./bus.ts";
import type { Store } from "./store.ts";

interface Row {
  readonly id: string;
  readonly topic: number;
  readonly event: string;
  readonly reason: string;
  readonly attempts: number;
  readonly at: number;
}

/** The bus writes its own dead letters, with the id "<topic>:<event id>". Adding an id again replaces the letter. */
export function createDeadLetters(store: Store, bus: EmbeddedBus): DeadLetters {
  const columns = "id, topic, event, reason, attempts, at";
  const insert = store.prepare(`INSERT OR REPLACE INTO dead (${columns}) VALUES (?, ?, ?, ?, ?, ?)`);
  const select = store.prepare(`SELECT n, ${columns} FROM dead WHERE n < ? ORDER BY n DESC LIMIT ?`);
  const find = store.prepare(`SELECT ${columns} FROM dead WHERE id = ?`);
  const remove = store.prepare("DELETE FROM dead WHERE id = ?");

  return {
    async add(letter) {
      const event = JSON.stringify(letter.event);
      const topic = topics.indexOf(letter.topic);
      const at = Math.round(letter.at);
      await store.write(() => void insert.run(letter.id, topic, event, letter.reason, letter.attempts, at));
    },
    async list(limit, before = Number.MAX_SAFE_INTEGER) {
      const rows = select.all(before, limit) as unknown as (Row & { n: number })[];
      return rows.map((row) => ({ ...letterOf(row), n: row.n }));
    },
    async get(id) {
      const row = find.get(id) as unknown as Row | undefined;
      return row === undefined ? undefined : letterOf(row);
    },
    async retry(id) {
      const row = find.get(id) as unknown as Row | undefined;
      if (row === undefined) return false;
      const { topic, event } = letterOf(row);
      const staged = bus.stage(topic, event);
      return store.write(
        () => {
          // Retried or dropped by somebody else since it was read.
          if (remove.run(id).changes === 0) return false;
          staged.write();
          return true;
        },
        {
          committed: (retried) => (retried ? staged.committed() : staged.failed()),
          failed: () => staged.failed(),
        },
      );
    },
    drop: (id) => store.write(() => remove.run(id).changes > 0),
  };
}

function letterOf(row: Row): DeadLetter {
  return { ...row, topic: topics[row.topic] ?? "inbound", event: JSON.parse(row.event) as CloudEvent };
}
