/** Version 2 keeps the rows of which an actor has many (their key has a colon) apart from the few that every write touches. */
import type { DatabaseSync } from "node:sqlite";

export function toVersion2(db: DatabaseSync): void {
  db.exec(`
    CREATE TABLE chunk (id TEXT, key TEXT, value TEXT, PRIMARY KEY (id, key)) WITHOUT ROWID;
    INSERT INTO chunk SELECT id, key, value FROM state WHERE instr(key, ':') > 0;
    DELETE FROM state WHERE instr(key, ':') > 0;
  `);
}
