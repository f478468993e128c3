/** Documents in SQLite, a file for each tenant, beside the runtime's data and independent of it: a command may write while a gateway reads. */
import { existsSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import type { FoundPassage, KnowledgeBase, NewDocument, Question, StoredDocument } from "../../../src/knowledge.ts";
import type { Clock } from "../../../src/ports.ts";
import { aboutOf, checkRoom, defaultMostPassages, idOf } from "../document.ts";
import { fuse, mostByWay } from "../fusion.ts";
import { openFile, pathOf } from "./schema.ts";
import { bySense, bytesOf } from "./senses.ts";
import { byWords } from "./words.ts";

export interface KnowledgeBaseOptions {
  readonly directory: string;
  readonly clock: Pick<Clock, "now">;
  /** Of one tenant. */
  readonly mostPassages?: number;
}

type Row = Readonly<Record<string, unknown>>;

export function createKnowledgeBase(options: KnowledgeBaseOptions): KnowledgeBase {
  const { directory, clock, mostPassages = defaultMostPassages } = options;
  const open = new Map<string, DatabaseSync>();

  /** Undefined where the tenant has none: reading makes no file. */
  function fileOf(tenant: string, make = false): DatabaseSync | undefined {
    const known = open.get(tenant);
    if (known !== undefined) return known;
    if (!make && !existsSync(pathOf(directory, tenant))) return undefined;
    const db = openFile(directory, tenant);
    open.set(tenant, db);
    return db;
  }

  const find = (db: DatabaseSync | undefined, id: string): StoredDocument | undefined => {
    const row = db?.prepare("SELECT * FROM document WHERE id = ?").get(id);
    return row === undefined ? undefined : documentOf(row);
  };

  return {
    async put(tenant, document) {
      const db = fileOf(tenant, true) as DatabaseSync;
      const id = idOf(document);
      inTransaction(db, () => {
        db.prepare("DELETE FROM document WHERE id = ?").run(id);
        const taken = db.prepare("SELECT count(*) AS n FROM passage").get()?.["n"] as number;
        checkRoom(taken, document, mostPassages);
        insert(db, id, document, clock.now());
      });
      return find(db, id) as StoredDocument;
    },
    get: async (tenant, ref) => find(fileOf(tenant), idOf(ref)),
    async list(tenant, collection) {
      const all = fileOf(tenant)
        ?.prepare("SELECT * FROM document WHERE ?1 IS NULL OR collection = ?1 ORDER BY collection, source")
        .all(collection ?? null);
      return (all ?? []).map(documentOf);
    },
    async remove(tenant, id) {
      const db = fileOf(tenant);
      const gone = db?.prepare("DELETE FROM document WHERE id = ?").run(id).changes ?? 0;
      // What was deleted is in the log of writes, too, until it is folded in.
      if (gone !== 0) db?.exec("PRAGMA wal_checkpoint(TRUNCATE)");
      return gone !== 0;
    },
    async search(tenant, question) {
      const db = fileOf(tenant);
      return db === undefined ? [] : searchIn(db, question);
    },
    prepare: async () => {},
    async close() {
      for (const db of open.values()) db.close();
      open.clear();
    },
  };
}

function insert(db: DatabaseSync, id: string, document: NewDocument, now: number): void {
  const { collection, source, title, digest, cut, passages, vectors } = document;
  db.prepare("INSERT INTO document VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)").run(
    id,
    collection,
    source,
    title,
    digest,
    passages.length,
    Number(cut),
    vectors?.model ?? null,
    Math.round(now),
  );
  const passage = db.prepare("INSERT INTO passage (document, about, section, page, text) VALUES (?, ?, ?, ?, ?)");
  const vector = db.prepare("INSERT INTO vector (n, document, of) VALUES (?, ?, ?)");
  for (const [at, { text, section, page }] of passages.entries()) {
    const about = aboutOf(document, { text, ...(section !== undefined && { section }) });
    const { lastInsertRowid } = passage.run(id, about, section ?? null, page ?? null, text);
    const of = vectors?.of[at];
    if (of !== undefined) vector.run(lastInsertRowid, id, bytesOf(of));
  }
}

function inTransaction(db: DatabaseSync, work: () => void): void {
  db.exec("BEGIN IMMEDIATE");
  try {
    work();
    db.exec("COMMIT");
  } catch (error) {
    if (db.isTransaction) db.exec("ROLLBACK");
    throw error;
  }
}

async function searchIn(db: DatabaseSync, question: Question): Promise<FoundPassage[]> {
  const { text, vector } = question;
  const collections = question.collections === undefined ? null : JSON.stringify(question.collections);
  const words = byWords(db, text, collections);
  const senses = vector === undefined ? [] : await bySense(db, vector, collections, mostByWay);
  const select = db.prepare(`
    SELECT passage.text, section, page, document.id, title, source, collection
    FROM passage JOIN document ON document.id = passage.document WHERE n = ?`);
  return fuse(words, senses, question).flatMap(({ n, ...scores }) => {
    const row = select.get(n);
    // Gone meanwhile: another process writes, too.
    return row === undefined ? [] : [{ ...passageOf(row), ...scores }];
  });
}

function passageOf(row: Row): Omit<FoundPassage, "words"> {
  return {
    text: row["text"] as string,
    ...(row["section"] === null ? {} : { section: row["section"] as string }),
    ...(row["page"] === null ? {} : { page: row["page"] as number }),
    document: {
      id: row["id"] as string,
      title: row["title"] as string,
      source: row["source"] as string,
      collection: row["collection"] as string,
    },
  };
}

function documentOf(row: Row): StoredDocument {
  return {
    id: row["id"] as string,
    collection: row["collection"] as string,
    source: row["source"] as string,
    title: row["title"] as string,
    digest: row["digest"] as string,
    passages: row["passages"] as number,
    cut: row["cut"] === 1,
    ...(row["model"] === null ? {} : { model: row["model"] as string }),
    addedAt: row["added"] as number,
  };
}
