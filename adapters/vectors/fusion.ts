/** What the two ways of finding come to together: the same for every store of documents. */
import type { Question } from "../../src/knowledge.ts";

export interface Scored {
  /** The passage's number. */
  readonly n: number;
  readonly score: number;
}

export interface Fused {
  readonly n: number;
  readonly words: number;
  readonly sense?: number;
}

/** Ranks are compared, not scores: reciprocal rank fusion with its usual constant. */
const rankConstant = 60;
/** What each way finds at most. */
export const mostByWay = 100;

/**
 * The best first. @param words from 0 to 1, those of the same score in the order in which the store ranks them.
 * @param senses the best first.
 */
export function fuse(
  words: readonly Scored[],
  senses: readonly Scored[],
  { limit, least }: Pick<Question, "limit" | "least">,
): readonly Fused[] {
  const fitting = [
    words.filter(({ score }) => score >= least.words).toSorted((a, b) => b.score - a.score),
    senses.filter(({ score }) => score >= least.sense),
  ];
  const ranks = new Map<number, number>();
  for (const way of fitting)
    for (const [at, { n }] of way.entries()) ranks.set(n, (ranks.get(n) ?? 0) + 1 / (rankConstant + at));
  const best = [...ranks].toSorted((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, limit);
  const scoreIn = (way: readonly Scored[], n: number) => way.find((one) => one.n === n)?.score;
  return best.map(([n]) => {
    const sense = scoreIn(senses, n);
    return { n, words: scoreIn(words, n) ?? 0, ...(sense === undefined ? {} : { sense }) };
  });
}
