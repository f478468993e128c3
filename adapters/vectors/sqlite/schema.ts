/** A tenant's documents in a SQLite file of its own. Several processes may have it open. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { encodePart } from "../../../src/ids.ts";

/** Raised with every change of what follows; see {@link openFile}. */
const layout = 1;

const tables = `
  CREATE TABLE document (
    id TEXT PRIMARY KEY,
    collection TEXT NOT NULL,
    source TEXT NOT NULL,
    title TEXT NOT NULL,
    digest TEXT NOT NULL,
    passages INTEGER NOT NULL,
    cut INTEGER NOT NULL,
    model TEXT,
    added INTEGER NOT NULL,
    UNIQUE (collection, source)
  ) WITHOUT ROWID;
  CREATE TABLE passage (
    n INTEGER PRIMARY KEY,
    document TEXT NOT NULL REFERENCES document (id) ON DELETE CASCADE,
    about TEXT NOT NULL,
    section TEXT,
    page INTEGER,
    text TEXT NOT NULL
  );
  CREATE INDEX passage_document ON passage (document);
  -- Apart from the words, which would else be read with every vector.
  CREATE TABLE vector (n INTEGER PRIMARY KEY REFERENCES passage (n) ON DELETE CASCADE, document TEXT NOT NULL, of BLOB NOT NULL);
  CREATE VIRTUAL TABLE word USING fts5 (
    about, text, content = 'passage', content_rowid = 'n', tokenize = 'porter unicode61 remove_diacritics 2'
  );
  INSERT INTO word (word, rank) VALUES ('secure-delete', 1);
  CREATE TRIGGER passage_in AFTER INSERT ON passage BEGIN
    INSERT INTO word (rowid, about, text) VALUES (new.n, new.about, new.text);
  END;
  CREATE TRIGGER passage_out AFTER DELETE ON passage BEGIN
    INSERT INTO word (word, rowid, about, text) VALUES ('delete', old.n, old.about, old.text);
  END;
`;

export function pathOf(directory: string, tenant: string): string {
  return join(directory, `${encodePart(tenant)}.db`);
}

/**
 * What is deleted is overwritten.
 * @throws Error for a file that a newer version wrote.
 */
export function openFile(directory: string, tenant: string): DatabaseSync {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const path = pathOf(directory, tenant);
  const db = new DatabaseSync(path, { timeout: 10_000, enableForeignKeyConstraints: true });
  try {
    db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;");
    db.exec("PRAGMA journal_size_limit = 16777216; PRAGMA recursive_triggers = ON;");
    if (layoutOf(db) === 0) prepare(db);
    if (layoutOf(db) === layout) return db;
    throw new Error(`The file ${path} was written by a newer version of Ascent: start that one.`);
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Another process may be doing the same. */
function prepare(db: DatabaseSync): void {
  db.exec("BEGIN IMMEDIATE");
  if (layoutOf(db) === 0) db.exec(`${tables} PRAGMA user_version = ${layout};`);
  db.exec("COMMIT");
}

function layoutOf(db: DatabaseSync): number {
  return (db.prepare("PRAGMA user_version").get() as { user_version: number }).user_version;
}
