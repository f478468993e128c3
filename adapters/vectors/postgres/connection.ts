/** Connections to the database, made when they are needed; what is done over them is bounded in time. */
import { setTimeout as pause } from "node:timers/promises";
import { sql } from "drizzle-orm";
import { drizzle, type NodePgDatabase } from "drizzle-orm/node-postgres";
import { Pool } from "pg";
import { failureOf } from "./failures.ts";
import { migrate } from "./layouts.ts";
import { addVector, vectorSchema } from "./vector-extension.ts";

export interface Connection {
  /** The tables are there, whoever made them. @throws as {@link within}. */
  prepare(): Promise<void>;
  /**
   * One transaction, with the schema of pgvector where there is one.
   * @throws InputError of the work's own; InfrastructureError where the database cannot be reached or is too slow.
   */
  within<Result>(work: (db: Transaction, vector: string | undefined) => Promise<Result>): Promise<Result>;
  close(): Promise<void>;
}
export type Transaction = Parameters<Parameters<NodePgDatabase["transaction"]>[0]>[0];

const mostConnections = 5;
const connectMs = 5_000;
const closeMs = 2_000;
/** One statement, a wait for another writer of the tenant included. */
const statementMs = 60_000;

export function connect(url: string): Connection {
  const pool = openPool(url, mostConnections);
  const db = drizzle(pool);
  let prepared: Promise<string | undefined> | undefined;

  async function make(): Promise<string | undefined> {
    await migrate(db);
    await addVector(db);
    return vectorSchema(db);
  }

  /** Once; what failed is tried again by the next who asks. */
  function ready(): Promise<string | undefined> {
    prepared ??= make().catch((error: unknown) => {
      prepared = undefined;
      throw failureOf(error);
    });
    return prepared;
  }

  return {
    prepare: async () => void (await ready()),
    async within(work) {
      const vector = await ready();
      try {
        return await db.transaction(async (tx) => {
          await tx.execute(sql`SELECT set_config('statement_timeout', ${String(statementMs)}, true)`);
          return work(tx, vector);
        });
      } catch (error) {
        throw failureOf(error);
      }
    },
    /** What still asks is left alone after a while: nothing depends on its answer any more. */
    close: () => Promise.race([pool.end(), pause(closeMs, undefined, { ref: false })]),
  };
}

export function openPool(connectionString: string, max: number): Pool {
  const pool = new Pool({
    connectionString,
    max,
    connectionTimeoutMillis: connectMs,
    keepAlive: true,
    application_name: "ascent",
  });
  // A connection is lost, which would end the process: whoever uses it is told by the call, and the next one gets another.
  pool.on("error", () => undefined);
  pool.on("connect", (client) => void client.on("error", () => undefined));
  return pool;
}
