/**
 * What an agent's history has no place for any more: its items, as they were, in rows of bounded size under numbered keys of the
 * agent's own. Nothing reads them in a turn but `search_past`; the oldest go when there are too many.
 */
import { z } from "zod";
import type { Found, HistoryItem } from "./agent.ts";
import { termsOf, weightOf, wordsIn, type Term } from "./terms.ts";

export const pastRow = z.object({ v: z.literal(1), items: z.array(z.custom<HistoryItem>()) });
export interface PastRow {
  readonly v: 1;
  readonly items: readonly HistoryItem[];
}

/** Rows from `first` up to `next - 1`. */
export interface PastRange {
  readonly first: number;
  readonly next: number;
}

export const mostPast = 48;
/** Of a row, and of one item in it. */
const rowChars = 20_000;
export const pastChars = 2_000;
const mostFound = 8;
const foundChars = 600;

export function pastKey(n: number): string {
  return `past:${n}`;
}

export function pastKeys({ first, next }: PastRange = { first: 0, next: 0 }): string[] {
  return Array.from({ length: next - first }, (_, at) => pastKey(first + at));
}

/** Items as rows take them. */
export function rowsOf(items: readonly HistoryItem[]): PastRow[] {
  const rows: HistoryItem[][] = [];
  let room = 0;
  for (const item of items) {
    const short = { ...item, text: item.text.slice(0, pastChars).toWellFormed() };
    const { read: _read, ...kept } = short;
    if (kept.text.length > room) {
      rows.push([]);
      room = rowChars;
    }
    rows.at(-1)?.push(kept);
    room -= kept.text.length;
  }
  return rows.map((of) => ({ v: 1, items: of }));
}

/** The best first; of two that fit alike the newer. */
export function searchPast(items: readonly HistoryItem[], question: string): readonly Found[] {
  const terms = termsOf(question);
  const texts = items.map(({ text }) => new Set(wordsIn(text.toLowerCase())));
  const weights = terms.map((term) => {
    const has = texts.filter((words) => holds(words, term)).length;
    return { term, weight: weightOf(has, texts.length) };
  });
  const scored = items.flatMap((item, at) => {
    const words = texts[at] ?? new Set();
    const score = weights.reduce((sum, { term, weight }) => sum + (holds(words, term) ? weight : 0), 0);
    return score > 0 ? [{ item, score }] : [];
  });
  scored.sort((a, b) => b.score - a.score || b.item.at - a.item.at);
  return scored.slice(0, mostFound).map(({ item: { at, role, name, text } }) => {
    const shown = text.length <= foundChars ? text : `${around(text, terms).toWellFormed()}…`;
    return { at, who: role, ...(name === undefined ? {} : { name }), text: shown };
  });
}

function holds(words: ReadonlySet<string>, { word, prefix }: Term): boolean {
  return words.has(word) || (prefix && [...words].some((one) => one.startsWith(word)));
}

/** Of a long text what stands about the first word that fits. */
function around(text: string, terms: readonly Term[]): string {
  const lower = text.toLowerCase();
  const places = terms.map(({ word }) => lower.indexOf(word)).filter((at) => at >= 0);
  const from = Math.max(0, Math.min(...places, text.length) - foundChars / 4);
  return text.slice(from, from + foundChars);
}
