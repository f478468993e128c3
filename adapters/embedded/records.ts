import { randomBytes } from "node:crypto";
import { ConflictError } from "../../src/errors.ts";
import type { Clock, Records } from "../../src/ports.ts";
import type { Store } from "./store.ts";

const purgeAtOnce = 500;

export interface EmbeddedRecords extends Records {
  /** Deletes some of what expired; true while there may be more. */
  purge(): Promise<boolean>;
}

export function createRecords(store: Store, clock: Clock): EmbeddedRecords {
  const select = store.prepare("SELECT value, etag, expires FROM record WHERE key = ?");
  const upsert = `
    INSERT INTO record (key, value, etag, expires) VALUES (?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET value = excluded.value, etag = excluded.etag, expires = excluded.expires`;
  const always = store.prepare(upsert);
  const ifAbsent = store.prepare(`${upsert} WHERE expires <= ?`);
  const ifSame = store.prepare(`
    UPDATE record SET value = ?, etag = ?, expires = ?
    WHERE key = ? AND etag = ? AND (expires IS NULL OR expires > ?)`);
  const remove = store.prepare("DELETE FROM record WHERE key = ?");
  const expired = store.prepare("SELECT 1 FROM record WHERE expires <= ? LIMIT 1");
  const purge = store.prepare(
    `DELETE FROM record WHERE key IN (SELECT key FROM record WHERE expires <= ? LIMIT ${purgeAtOnce})`,
  );
  /** Never the same twice, also over restarts: a removed and rewritten record must not have its old etag. */
  const life = randomBytes(6).toString("base64url");
  let written = 0;

  return {
    async get(key) {
      const row = select.get(key) as { value: string; etag: string; expires: number | null } | undefined;
      if (row === undefined || (row.expires !== null && row.expires <= clock.now())) return undefined;
      return { value: JSON.parse(row.value) as unknown, etag: row.etag };
    },
    async put(key, value, options = {}) {
      const text = JSON.stringify(value);
      const now = Math.round(clock.now());
      const expires = options.ttlMs === undefined ? null : now + Math.round(options.ttlMs);
      const etag = `${life}${(written++).toString(36)}`;
      const expected = options.etag;
      const done = await store.write(() => {
        if (expected === undefined) return always.run(key, text, etag, expires).changes;
        if (expected === null) return ifAbsent.run(key, text, etag, expires, now).changes;
        return ifSame.run(text, etag, expires, key, expected, now).changes;
      });
      if (done === 0) throw new ConflictError(`The record ${key} was changed by somebody else.`);
      return etag;
    },
    async remove(key) {
      await store.write(() => void remove.run(key));
    },
    async purge() {
      const now = Math.round(clock.now());
      if (expired.get(now) === undefined) return false;
      return (await store.write(() => Number(purge.run(now).changes))) === purgeAtOnce;
    },
  };
}
