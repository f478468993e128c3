/** What of a question is looked for, and how much each of it counts: the same for every store of documents. */
import { stopWords } from "./stop-words.ts";

export interface Term {
  readonly word: string;
  /** What begins with it counts as it: plurals, cases, compounds. */
  readonly prefix: boolean;
}

const mostTerms = 24;
const longestTerm = 64;
const prefixFrom = 5;
/** A few passages say little of how rare a word is: they are taken for this many. */
const leastTotal = 100;

/** In small letters, each once; letters, marks and digits alone, so that nothing of a question is syntax. */
export function termsOf(question: string): readonly Term[] {
  const all = [...new Set(wordsIn(question.toLowerCase()))];
  const telling = all.filter((word) => !stopWords.has(word));
  return (telling.length === 0 ? all : telling).slice(0, mostTerms).map((word) => ({
    word: word.slice(0, longestTerm).toWellFormed(),
    prefix: word.length >= prefixFrom,
  }));
}

export function wordsIn(text: string): readonly string[] {
  return text.normalize("NFC").match(/[\p{L}\p{M}\p{N}]+/gu) ?? [];
}

/** The rarer the heavier. @param has how many of the `total` passages have it. */
export function weightOf(has: number, total: number): number {
  return Math.log(1 + (Math.max(total, leastTotal) - has + 0.5) / (has + 0.5));
}
