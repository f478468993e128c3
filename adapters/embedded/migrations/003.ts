/** Version 3 knows when a blob was last used. Those that there were are taken for used now: nobody knows what shows them. */
import type { DatabaseSync } from "node:sqlite";

export function toVersion3(db: DatabaseSync): void {
  db.exec(`
    ALTER TABLE blob ADD COLUMN used INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE blob ADD COLUMN draft INTEGER NOT NULL DEFAULT 0;
    UPDATE blob SET used = unixepoch() * 1000;
    CREATE INDEX blob_used ON blob (draft, used);
  `);
}
