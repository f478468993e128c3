/** pgvector, which makes exact comparison fast. Without it PostgreSQL compares by itself: the same result, several times slower. */
import { sql, type SQL } from "drizzle-orm";
import type { NodePgDatabase } from "drizzle-orm/node-postgres";

/** @returns the schema that it is in; undefined where it is not. */
export async function vectorSchema(db: Pick<NodePgDatabase, "execute">): Promise<string | undefined> {
  const { rows } = await db.execute(sql`
    SELECT nspname FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace WHERE extname = 'vector'`);
  return rows[0]?.["nspname"] as string | undefined;
}

/** Installed on the server, whether or not this database has it. */
export async function isVectorAvailable(db: Pick<NodePgDatabase, "execute">): Promise<boolean> {
  const { rows } = await db.execute(sql`SELECT 1 FROM pg_available_extensions WHERE name = 'vector'`);
  return rows.length > 0;
}

/** Of two processes that do so at once, one does. Who may not, or has no such extension on the server, goes on without. */
export async function addVector(db: NodePgDatabase): Promise<void> {
  if ((await vectorSchema(db)) !== undefined || !(await isVectorAvailable(db))) return;
  await db.execute(sql`CREATE EXTENSION IF NOT EXISTS vector`).catch(() => undefined);
}

/** The product of two lists of numbers of the same length: of those of length 1 the cosine. */
export function productOf(a: SQL | { readonly name: string }, b: SQL, schema: string | undefined): SQL {
  if (schema === undefined) return sql`(SELECT sum(x * y) FROM unnest(${a}, ${b}) AS both_of (x, y))`;
  const of = sql.identifier(schema);
  return sql`-(${a}::${of}.vector OPERATOR(${of}.<#>) ${b}::${of}.vector)`;
}
