/** Opens the data directory: makes it, refuses what cannot work with a sentence that says what to do, brings it up to date. */
import { closeSync, existsSync, mkdirSync, openSync } from "node:fs";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { DataError, isDamaged } from "./data-error.ts";
import { migrate } from "./migrate.ts";

const fileName = "ascent.db";

/** @throws DataError when the directory cannot be made or written. */
export function makeDirectory(directory: string): void {
  try {
    makePath(join(directory, "blobs"));
    closeSync(openSync(join(directory, fileName), "a", 0o600));
  } catch (error) {
    throw new DataError(
      `The data directory ${directory} cannot be written (${error instanceof Error ? error.message : String(error)}). ` +
        "Make it writable for this user, or name another one (ASCENT_DATA).",
      { cause: error },
    );
  }
}

/** Step by step: Node's own recursive form never returns on a file system that refuses directories, such as /proc. */
function makePath(path: string): void {
  if (existsSync(path)) return;
  makePath(dirname(path));
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    // Another process may have been quicker.
    if (!existsSync(path)) throw error;
  }
}

/**
 * Call it with the lock held. Others may read the file meanwhile (a backup, an operator's sqlite3): its own lock is not
 * exclusive, which was measured to cost nothing. What is deleted is overwritten with zeros.
 * @throws DataError on a damaged file or one that a newer version wrote.
 */
export function openDatabase(directory: string): DatabaseSync {
  const path = join(directory, fileName);
  const db = new DatabaseSync(path, { timeout: 2000, enableForeignKeyConstraints: false });
  try {
    db.exec(`
      PRAGMA auto_vacuum = INCREMENTAL;
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = FULL;
      PRAGMA wal_autocheckpoint = 2000;
      PRAGMA journal_size_limit = 16777216;
      PRAGMA cache_size = -8000;
      PRAGMA temp_store = MEMORY;
      PRAGMA secure_delete = ON;
    `);
    migrate(db, path);
    return db;
  } catch (error) {
    db.close();
    if (!isDamaged(error)) throw error;
    throw new DataError(
      `The file ${path} is damaged or not Ascent's (${String(error)}). ` +
        "Put a backup in its place, or move it away to start empty.",
      { cause: error },
    );
  }
}
