/** How the tables came to be what they are, one step for each layout: those that stand here are never changed, more are added. */
import { sql, type SQL } from "drizzle-orm";
import type { NodePgDatabase } from "drizzle-orm/node-postgres";

export const layouts: readonly SQL[] = [
  sql`
    CREATE SCHEMA ascent_knowledge;
    CREATE TABLE ascent_knowledge.layout (version integer NOT NULL);
    INSERT INTO ascent_knowledge.layout VALUES (0);
    -- English words by their stems, and no word left out: which ones tell nothing is known of the question.
    CREATE TEXT SEARCH DICTIONARY ascent_knowledge.stems (TEMPLATE = snowball, LANGUAGE = english);
    CREATE TEXT SEARCH CONFIGURATION ascent_knowledge.words (COPY = pg_catalog.simple);
    ALTER TEXT SEARCH CONFIGURATION ascent_knowledge.words ALTER MAPPING REPLACE pg_catalog.simple WITH ascent_knowledge.stems;
    CREATE TABLE ascent_knowledge.document (
      tenant text NOT NULL,
      id text NOT NULL,
      collection text NOT NULL,
      source text NOT NULL,
      title text NOT NULL,
      digest text NOT NULL,
      passages integer NOT NULL,
      cut boolean NOT NULL,
      model text,
      added bigint NOT NULL,
      PRIMARY KEY (tenant, id)
    );
    CREATE TABLE ascent_knowledge.passage (
      n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      tenant text NOT NULL,
      document text NOT NULL,
      section text,
      page integer,
      text text NOT NULL,
      words tsvector NOT NULL,
      -- Numbers of its own kind, so that neither the table nor what is in it depends on an extension.
      vector real[],
      FOREIGN KEY (tenant, document) REFERENCES ascent_knowledge.document (tenant, id) ON DELETE CASCADE
    );
    ALTER TABLE ascent_knowledge.passage ALTER COLUMN vector SET STORAGE EXTERNAL, ALTER COLUMN vector SET STATISTICS 0;
    CREATE INDEX passage_document ON ascent_knowledge.passage (tenant, document);
    CREATE INDEX passage_words ON ascent_knowledge.passage USING gin (words);
  `,
];

/** Any other program's with the same number would wait for us, and we for it: nothing worse. */
const lock = 7_351_902_846;

/** One step, or the wait for another process that makes them. */
const stepMs = 60_000;

export class NewerLayoutError extends Error {
  override readonly name = "NewerLayoutError";
}

/** @returns 0 where there are no tables yet. */
export async function layoutOf(db: Pick<NodePgDatabase, "execute">): Promise<number> {
  // From the catalog's tables: what to_regclass knows may be older than a lock that was waited for.
  const there = await db.execute(sql`
    SELECT 1 FROM pg_catalog.pg_tables WHERE schemaname = 'ascent_knowledge' AND tablename = 'layout'`);
  if (there.rows.length === 0) return 0;
  const { rows } = await db.execute(sql`SELECT version FROM ascent_knowledge.layout`);
  return rows[0]?.["version"] as number;
}

/**
 * All steps that are missing, or none of them. Processes that start at once wait for one another, also behind a pooler that gives
 * each transaction a connection of its own.
 * @throws NewerLayoutError
 */
export async function migrate(db: NodePgDatabase): Promise<void> {
  if (isCurrent(await layoutOf(db))) return;
  await db.transaction(async (tx) => {
    await tx.execute(sql`SELECT set_config('statement_timeout', ${String(stepMs)}, true)`);
    await tx.execute(sql`SELECT pg_advisory_xact_lock(${lock}::bigint)`);
    const before = await layoutOf(tx);
    if (isCurrent(before)) return;
    for (const step of layouts.slice(before)) await tx.execute(step);
    await tx.execute(sql`UPDATE ascent_knowledge.layout SET version = ${layouts.length}`);
  });
}

/** @throws NewerLayoutError */
export function isCurrent(layout: number): boolean {
  if (layout <= layouts.length) return layout === layouts.length;
  throw new NewerLayoutError("the documents' tables were made by a newer version of Ascent: start that one");
}
