/**
 * The stored values of actors. What an active actor writes are rows of "state", and of "chunk" where the key has a colon: one
 * of many of its kind, which would lie between the rows that every write touches. When the actor goes idle they are packed
 * into one row of "idle", deflated: an idle conversation costs less disk than its JSON has bytes. The rows lie over the packed
 * ones, so that an actor that wakes up writes what it changes and nothing else.
 */
import { deflateRawSync, inflateRawSync } from "node:zlib";
import type { StatementSync } from "node:sqlite";
import type { Store } from "./store.ts";

export interface ActorState {
  /** The stored values of these keys. */
  load(id: string, keys: readonly string[]): Map<string, unknown>;
  /** Inside a transaction. */
  put(id: string, key: string, json: string): void;
  remove(id: string, key: string): void;
  pack(id: string): void;
  /** Up to `limit` ids behind `after` that have rows, ascending: what a process that died left unpacked. */
  unpacked(after: string, limit: number): string[];
}

/** Shorter JSON than this does not get smaller. */
const deflateFrom = 128;
/** A small window: the default allocates 256 kB per call. @see https://zlib.net/zlib_tech.html */
const deflate = { level: 4, memLevel: 5, windowBits: 13, chunkSize: 2048 };

type Table = Readonly<Record<"get" | "put" | "remove" | "all" | "removeAll", StatementSync>>;

export function createActorState(store: Store): ActorState {
  const tables = ["state", "chunk"].map((table) => ({
    get: store.prepare(`SELECT value FROM ${table} WHERE id = ? AND key = ?`),
    // An upsert overwrites in place; REPLACE would delete and insert, at nearly twice the cost.
    put: store.prepare(
      `INSERT INTO ${table} (id, key, value) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value`,
    ),
    remove: store.prepare(`DELETE FROM ${table} WHERE id = ? AND key = ?`),
    all: store.prepare(`SELECT key, value FROM ${table} WHERE id = ?`),
    removeAll: store.prepare(`DELETE FROM ${table} WHERE id = ?`),
  })) as [Table, Table];
  const tableOf = (key: string): Table => tables[key.includes(":") ? 1 : 0];
  const getIdle = store.prepare("SELECT state FROM idle WHERE id = ?");
  const isIdle = store.prepare("SELECT 1 FROM idle WHERE id = ?");
  const putIdle = store.prepare(
    "INSERT INTO idle (id, state) VALUES (?, ?) ON CONFLICT DO UPDATE SET state = excluded.state",
  );
  const removeIdle = store.prepare("DELETE FROM idle WHERE id = ?");
  const ids = store.prepare(
    "SELECT id FROM state WHERE id > ?1 UNION SELECT id FROM chunk WHERE id > ?1 ORDER BY id LIMIT ?2",
  );

  function unpack(id: string): Record<string, unknown> {
    const row = getIdle.get(id) as { state: string | Uint8Array } | undefined;
    if (row === undefined) return {};
    const text = typeof row.state === "string" ? row.state : inflateRawSync(row.state).toString();
    return JSON.parse(text) as Record<string, unknown>;
  }

  return {
    load(id, keys) {
      const found = new Map<string, unknown>();
      let packed: Record<string, unknown> | undefined;
      for (const key of keys) {
        const row = tableOf(key).get.get(id, key) as { value: string | null } | undefined;
        if (row === undefined) {
          packed ??= unpack(id);
          if (Object.hasOwn(packed, key)) found.set(key, packed[key]);
        } else if (row.value !== null) {
          found.set(key, JSON.parse(row.value));
        }
      }
      return found;
    },
    put: (id, key, json) => void tableOf(key).put.run(id, key, json),
    remove(id, key) {
      const table = tableOf(key);
      if (isIdle.get(id) === undefined) table.remove.run(id, key);
      else table.put.run(id, key, null);
    },
    pack(id) {
      const rows = tables.flatMap(({ all }) => all.all(id)) as { key: string; value: string | null }[];
      if (rows.length === 0) return;
      const values = new Map(Object.entries(unpack(id)));
      for (const { key, value } of rows) {
        if (value === null) values.delete(key);
        else values.set(key, JSON.parse(value));
      }
      for (const { removeAll } of tables) removeAll.run(id);
      if (values.size === 0) return void removeIdle.run(id);
      const text = JSON.stringify(Object.fromEntries(values));
      putIdle.run(id, text.length < deflateFrom ? text : deflateRawSync(text, deflate));
    },
    unpacked: (after, limit) => (ids.all(after, limit) as { id: string }[]).map((row) => row.id),
  };
}
