/** Documents in PostgreSQL, which every replica has in common: the tables of all tenants, and no question without the tenant that it is for. */
import { and, eq, inArray, ne, sql } from "drizzle-orm";
import type { FoundPassage, KnowledgeBase, NewDocument, Question, StoredDocument } from "../../../src/knowledge.ts";
import type { Clock } from "../../../src/ports.ts";
import { aboutOf, checkRoom, defaultMostPassages, idOf } from "../document.ts";
import { fuse } from "../fusion.ts";
import { connect, type Transaction } from "./connection.ts";
import { documents, passages } from "./schema.ts";
import { bySense, byWords } from "./search.ts";
import { plainWords, storable } from "./words.ts";

export interface PostgresKnowledgeOptions {
  /** postgres://… with what it takes to connect. */
  readonly url: string;
  readonly clock: Pick<Clock, "now">;
  /** Of one tenant. */
  readonly mostPassages?: number;
}

/** Passages that go in with one statement: a megabyte or two, with their vectors. */
const batch = 100;

export function createPostgresKnowledge(options: PostgresKnowledgeOptions): KnowledgeBase {
  const { clock, mostPassages = defaultMostPassages } = options;
  const { prepare, within, close } = connect(options.url);

  return {
    prepare,
    close,
    put: (tenant, given) =>
      within(async (db) => {
        const id = idOf(given);
        // One writer of a tenant at a time: what there is room for is counted over all of them.
        await db.execute(sql`SELECT pg_advisory_xact_lock(hashtextextended(${`ascent knowledge ${tenant}`}, 0))`);
        const others = await db
          .select({ n: sql<number>`coalesce(sum(${documents.passages}), 0)::int` })
          .from(documents)
          .where(and(eq(documents.tenant, tenant), ne(documents.id, id)));
        checkRoom(others[0]?.n ?? 0, given, mostPassages);
        await db.delete(documents).where(and(eq(documents.tenant, tenant), eq(documents.id, id)));
        return insert(db, tenant, id, given, clock.now());
      }),
    get: (tenant, ref) =>
      within(async (db) => {
        const of = and(eq(documents.tenant, tenant), eq(documents.id, idOf(ref)));
        const [row] = await db.select().from(documents).where(of);
        return row && documentOf(row);
      }),
    list: (tenant, collection) =>
      within(async (db) => {
        const of = collection === undefined ? undefined : eq(documents.collection, collection);
        const order = sql`${documents.collection} COLLATE "C", ${documents.source} COLLATE "C"`;
        const rows = await db
          .select()
          .from(documents)
          .where(and(eq(documents.tenant, tenant), of))
          .orderBy(order);
        return rows.map(documentOf);
      }),
    remove: (tenant, id) =>
      within(async (db) => {
        const gone = await db.delete(documents).where(and(eq(documents.tenant, tenant), eq(documents.id, id)));
        return gone.rowCount !== 0;
      }),
    search: (tenant, question) => within((db, vector) => search(db, tenant, question, vector)),
  };
}

async function insert(
  db: Transaction,
  tenant: string,
  id: string,
  given: NewDocument,
  now: number,
): Promise<StoredDocument> {
  const { collection, source, title, digest, cut, vectors } = given;
  const row = {
    tenant,
    id,
    collection,
    source,
    title: storable(title),
    digest,
    passages: given.passages.length,
    cut,
    model: vectors?.model ?? null,
    added: Math.round(now),
  };
  await db.insert(documents).values(row);
  const all = given.passages.map((passage, at) => {
    const { text, section, page } = passage;
    const of = vectors?.of[at];
    return {
      tenant,
      document: id,
      section: section === undefined ? null : storable(section),
      page: page ?? null,
      text: storable(text),
      words: sql`setweight(${vectorOf(aboutOf(given, passage))}, 'A') || ${vectorOf(text)}`,
      vector: of === undefined ? null : [...of],
    };
  });
  for (let at = 0; at < all.length; at += batch) await db.insert(passages).values(all.slice(at, at + batch));
  return documentOf(row);
}

const vectorOf = (text: string) => sql`to_tsvector('ascent_knowledge.words', ${plainWords(text)})`;

async function search(
  db: Transaction,
  tenant: string,
  question: Question,
  vector: string | undefined,
): Promise<readonly FoundPassage[]> {
  const within = { tenant, collections: question.collections };
  const words = await byWords(db, question.text, within);
  const senses = question.vector === undefined ? [] : await bySense(db, question.vector, within, vector);
  const best = fuse(words, senses, question);
  if (best.length === 0) return [];
  const { n, section, page, text } = passages;
  const { id, title, source, collection } = documents;
  const found = await db
    .select({ n, section, page, text, document: { id, title, source, collection } })
    .from(passages)
    .innerJoin(documents, and(eq(documents.tenant, passages.tenant), eq(id, passages.document)))
    .where(
      and(
        eq(passages.tenant, tenant),
        inArray(
          n,
          best.map((one) => one.n),
        ),
      ),
    );
  const byNumber = new Map(found.map((one) => [one.n, one]));
  return best.flatMap(({ n: number, ...scores }) => {
    const row = byNumber.get(number);
    // Gone meanwhile: another process writes, too.
    if (row === undefined) return [];
    const place = {
      ...(row.section !== null && { section: row.section }),
      ...(row.page !== null && { page: row.page }),
    };
    return [{ text: row.text, ...place, document: row.document, ...scores }];
  });
}

function documentOf(row: typeof documents.$inferSelect): StoredDocument {
  const { tenant: _tenant, model, added, ...rest } = row;
  return { ...rest, ...(model !== null && { model }), addedAt: added };
}
