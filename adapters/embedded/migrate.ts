import type { DatabaseSync } from "node:sqlite";
import { DataError } from "./data-error.ts";
import { toVersion1 } from "./migrations/001.ts";
import { toVersion2 } from "./migrations/002.ts";
import { toVersion3 } from "./migrations/003.ts";

/** The n-th brings a file of version n to version n + 1. A released migration is never edited. */
const migrations: readonly ((db: DatabaseSync) => void)[] = [toVersion1, toVersion2, toVersion3];

/** Each migration and its version number are one transaction: a start that is killed meanwhile begins it again. */
export function migrate(db: DatabaseSync, path: string): void {
  const { user_version: found } = db.prepare("PRAGMA user_version").get() as { user_version: number };
  if (found > migrations.length) {
    throw new DataError(
      `The file ${path} was written by a newer version of Ascent (layout ${found}, this one knows ${migrations.length}). ` +
        "Start that version, or a newer one.",
    );
  }
  for (const [version, migration] of migrations.entries()) {
    if (version < found) continue;
    db.exec("BEGIN IMMEDIATE");
    try {
      migration(db);
      db.exec(`PRAGMA user_version = ${version + 1}`);
      db.exec("COMMIT");
    } catch (error) {
      if (db.isTransaction) db.exec("ROLLBACK");
      throw error;
    }
  }
}
