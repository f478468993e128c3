/** What `ascent doctor` says of the documents' database. */
import { sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/node-postgres";
import type { Finding } from "../../../src/channel.ts";
import { openPool } from "./connection.ts";
import { failureOf } from "./failures.ts";
import { isCurrent, layoutOf } from "./layouts.ts";
import { isVectorAvailable, vectorSchema } from "./vector-extension.ts";

const correct = "Correct ASCENT_KNOWLEDGE_URL, or start the PostgreSQL that it names.";

/** Never rejects, and changes nothing. */
export async function checkPostgres(url: string): Promise<readonly Finding[]> {
  const pool = openPool(url, 1);
  const db = drizzle(pool);
  try {
    const { rows } = await db.execute(sql`
      SELECT current_database() AS name, current_setting('server_version') AS version,
        has_database_privilege(current_database(), 'CREATE') AS may`);
    const { name, version, may } = rows[0] ?? {};
    const layout = await layoutOf(db);
    const about = `${String(name)} on PostgreSQL ${String(version)}`;
    if (!isCurrent(layout) && may !== true)
      return [
        {
          ok: false,
          text: `${about}: its user may not make the schema ascent_knowledge`,
          next: "Grant it CREATE on the database, until the gateway has started once.",
        },
      ];
    return [{ ok: true, text: about }, await vectorFinding(db)];
  } catch (error) {
    return [{ ok: false, text: failureOf(error).message, next: correct }];
  } finally {
    await pool.end();
  }
}

async function vectorFinding(db: Parameters<typeof vectorSchema>[0]): Promise<Finding> {
  if ((await vectorSchema(db)) !== undefined) return { ok: true, text: "pgvector compares what passages mean" };
  const next = (await isVectorAvailable(db))
    ? "Start the gateway, or run CREATE EXTENSION vector there as a user who may."
    : "Install the server's package for it, on Debian postgresql-<version>-pgvector, and start the gateway again.";
  return {
    ok: true,
    text: "without pgvector what passages mean is compared slowly: enough for some thousand of them",
    next,
  };
}
