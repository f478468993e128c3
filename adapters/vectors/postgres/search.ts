/** Passages by the words of a question and by its sense, within one tenant. */
import { and, eq, inArray, sql, type SQL } from "drizzle-orm";
import type { Question } from "../../../src/knowledge.ts";
import { mostByWay, type Scored } from "../fusion.ts";
import { termsOf, weightOf, type Term } from "../terms.ts";
import type { Transaction } from "./connection.ts";
import { documents, passages } from "./schema.ts";
import { productOf } from "./vector-extension.ts";
import { plainWords } from "./words.ts";

export interface Within {
  readonly tenant: string;
  readonly collections?: readonly string[] | undefined;
}

/** As to_tsquery takes it; undefined for what is no word without its accents. */
function matchOf({ word, prefix }: Term): string | undefined {
  const plain = plainWords(word);
  return plain === "" ? undefined : `'${plain}'${prefix ? ":*" : ""}`;
}

const inWhich = ({ tenant, collections }: Within) =>
  and(
    eq(documents.tenant, tenant),
    collections === undefined ? undefined : inArray(documents.collection, [...collections]),
  );
const joined = sql`${passages} JOIN ${documents}
  ON ${documents.tenant} = ${passages.tenant} AND ${documents.id} = ${passages.document}`;
/** Of what a passage is about, and of its text. */
const ranks = sql.raw("'{0.5, 0.5, 0.5, 1}'");

/** The passages that have most of the question; of those that have as much of it, the ones that speak most of it. */
export async function byWords(db: Transaction, question: string, within: Within): Promise<readonly Scored[]> {
  const matches = termsOf(question).flatMap((term) => matchOf(term) ?? []);
  if (matches.length === 0) return [];
  const [counted] = await db
    .select({ n: sql<number>`sum(${documents.passages})::int` })
    .from(documents)
    .where(inWhich(within));
  const total = counted?.n ?? 0;
  const found = await db.execute(sql`
    ${queries(matches)} SELECT at, count(*)::int AS n
    FROM queries JOIN (${joined}) ON ${passages.words} @@ query
    WHERE ${inWhich(within)} GROUP BY at`);
  const has = new Map(found.rows.map((row) => [row["at"] as number, row["n"] as number]));
  if (has.size === 0) return [];
  const weights = matches.map((_match, at) => weightOf(has.get(at + 1) ?? 0, total));
  const all = weights.reduce((sum, one) => sum + one, 0);
  const ranked = await db.execute(sql`
    ${queries(matches, weights)} SELECT ${passages.n}::float8 AS n, sum(weight) AS score
    FROM queries JOIN (${joined}) ON ${passages.words} @@ query
    WHERE ${inWhich(within)} GROUP BY ${passages.n}
    ORDER BY score DESC, sum(ts_rank(${ranks}, ${passages.words}, query)) DESC, n LIMIT ${mostByWay}`);
  return ranked.rows.map((row) => ({ n: row["n"] as number, score: (row["score"] as number) / all }));
}

/** Every vector of the question's own model is compared. @param schema of pgvector, where there is one. */
export async function bySense(
  db: Transaction,
  { model, of }: NonNullable<Question["vector"]>,
  within: Within,
  schema: string | undefined,
): Promise<readonly Scored[]> {
  const score = productOf(sql`${passages.vector}`, list([...of], "real"), schema);
  const { rows } = await db.execute(sql`
    SELECT ${passages.n}::float8 AS n, (${score})::float8 AS score FROM ${joined}
    WHERE ${inWhich(within)} AND ${documents.model} = ${model} AND cardinality(${passages.vector}) = ${of.length}
    ORDER BY score DESC, n LIMIT ${mostByWay}`);
  return rows.map((row) => ({ n: row["n"] as number, score: row["score"] as number }));
}

const list = (numbers: readonly number[], type: "real" | "float8"): SQL =>
  sql`${sql.param([...numbers])}::${sql.raw(type)}[]`;

/** Each with its place, from 1. Not materialized: the planner would know too little of them to use the index of words. */
const queries = (matches: readonly string[], weights: readonly number[] = []): SQL => sql`
  WITH queries AS (
    SELECT at::int AS at, weight, to_tsquery('ascent_knowledge.words', match) AS query
    FROM unnest(${sql.param([...matches])}::text[], ${list(weights, "float8")}) WITH ORDINALITY AS given (match, weight, at)
  )`;
