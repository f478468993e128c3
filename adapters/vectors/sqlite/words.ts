/** Passages by the words of a question: FTS5 finds and ranks them, and how much of the question is in each is weighed here. */
import type { DatabaseSync } from "node:sqlite";
import { mostByWay, type Scored } from "../fusion.ts";
import { termsOf, weightOf, type Term } from "../terms.ts";

/** As FTS5 takes it: in quotes nothing is syntax. */
const matchOf = ({ word, prefix }: Term) => `"${word}"${prefix ? " *" : ""}`;

const within = `
  FROM word JOIN passage ON passage.n = word.rowid JOIN document ON document.id = passage.document
  WHERE word MATCH ? AND (?2 IS NULL OR collection IN (SELECT value FROM json_each(?2)))`;

/** @param collections as JSON; null: all. */
export function byWords(db: DatabaseSync, question: string, collections: string | null): readonly Scored[] {
  const terms = termsOf(question).map(matchOf);
  if (terms.length === 0) return [];
  const ranked = db
    .prepare(`SELECT passage.n AS n ${within.replace("?", "?1")} ORDER BY bm25(word, 2.0, 1.0) LIMIT ${mostByWay}`)
    .all(terms.join(" OR "), collections)
    .map((row) => row["n"] as number);
  if (ranked.length === 0) return [];
  const total = db
    .prepare(
      "SELECT sum(passages) AS n FROM document WHERE ?1 IS NULL OR collection IN (SELECT value FROM json_each(?1))",
    )
    .get(collections)?.["n"] as number;
  const count = db.prepare(`SELECT count(*) AS n ${within.replace("?", "?1")}`);
  const among = db.prepare(
    "SELECT rowid AS n FROM word WHERE word MATCH ? AND rowid IN (SELECT value FROM json_each(?))",
  );
  const matched = new Map(ranked.map((n) => [n, 0]));
  let all = 0;
  for (const term of terms) {
    const has = count.get(term, collections)?.["n"] as number;
    const weight = weightOf(has, total);
    all += weight;
    if (has === 0) continue;
    for (const row of among.all(term, JSON.stringify(ranked))) {
      const n = row["n"] as number;
      matched.set(n, (matched.get(n) ?? 0) + weight);
    }
  }
  return ranked.map((n) => ({ n, score: (matched.get(n) ?? 0) / all }));
}
