/** Passages by the words of a question: FTS5 finds and ranks them, and how much of the question is in each is weighed here. */
import type { DatabaseSync } from "node:sqlite";
import { stopWords } from "./stop-words.ts";

export interface Scored {
  /** The passage's number. */
  readonly n: number;
  /** From 0 to 1. */
  readonly score: number;
}

const mostTerms = 24;
const longestTerm = 64;
/** From this length on what begins with a word counts as the word: plurals, cases, compounds. */
const prefixFrom = 5;
const mostCandidates = 100;
/** A few passages say little of how rare a word is: they are taken for this many. */
const leastTotal = 100;

/** Each as FTS5 takes it: in quotes nothing of a question is syntax. */
export function termsOf(question: string): readonly string[] {
  const all = [
    ...new Set(
      question
        .normalize("NFC")
        .toLowerCase()
        .match(/[\p{L}\p{M}\p{N}]+/gu) ?? [],
    ),
  ];
  const telling = all.filter((word) => !stopWords.has(word));
  return (telling.length === 0 ? all : telling)
    .slice(0, mostTerms)
    .map((word) => word.slice(0, longestTerm).toWellFormed())
    .map((word) => `"${word}"${word.length < prefixFrom ? "" : " *"}`);
}

const within = `
  FROM word JOIN passage ON passage.n = word.rowid JOIN document ON document.id = passage.document
  WHERE word MATCH ? AND (?2 IS NULL OR collection IN (SELECT value FROM json_each(?2)))`;

/** @param collections as JSON; null: all. */
export function byWords(db: DatabaseSync, question: string, collections: string | null): readonly Scored[] {
  const terms = termsOf(question);
  if (terms.length === 0) return [];
  const ranked = db
    .prepare(`SELECT passage.n AS n ${within.replace("?", "?1")} ORDER BY bm25(word, 2.0, 1.0) LIMIT ${mostCandidates}`)
    .all(terms.join(" OR "), collections)
    .map((row) => row["n"] as number);
  if (ranked.length === 0) return [];
  const counted = db
    .prepare(
      "SELECT sum(passages) AS n FROM document WHERE ?1 IS NULL OR collection IN (SELECT value FROM json_each(?1))",
    )
    .get(collections)?.["n"] as number;
  const total = Math.max(counted, leastTotal);
  const count = db.prepare(`SELECT count(*) AS n ${within.replace("?", "?1")}`);
  const among = db.prepare(
    "SELECT rowid AS n FROM word WHERE word MATCH ? AND rowid IN (SELECT value FROM json_each(?))",
  );
  const matched = new Map(ranked.map((n) => [n, 0]));
  let all = 0;
  for (const term of terms) {
    const has = count.get(term, collections)?.["n"] as number;
    const weight = Math.log(1 + (total - has + 0.5) / (has + 0.5));
    all += weight;
    if (has === 0) continue;
    for (const row of among.all(term, JSON.stringify(ranked))) {
      const n = row["n"] as number;
      matched.set(n, (matched.get(n) ?? 0) + weight);
    }
  }
  return ranked.map((n) => ({ n, score: (matched.get(n) ?? 0) / all }));
}
