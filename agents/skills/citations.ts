/** Numbers in brackets that stand for sources: what a model writes is held to those that there are. */

const citation = /\[\s*([1-9]\d{0,2}(?:\s*[,;]\s*[1-9]\d{0,2})*)\s*\](?!\()/g;

export interface Cited {
  /** Without the numbers of sources that there are none of. */
  readonly text: string;
  /** In the order of their first mention. */
  readonly numbers: readonly number[];
}

export function citedIn(text: string, has: (number: number) => boolean): Cited {
  return renumbered(text, (number) => (has(number) ? number : undefined));
}

/** @param numberOf the number that stands for one; undefined: it is left out. */
export function renumbered(text: string, numberOf: (number: number) => number | undefined): Cited {
  const numbers = new Set<number>();
  const kept = text.replace(citation, (_whole, list: string) => {
    const own = list.split(/[,;]/).flatMap((one) => numberOf(Number(one)) ?? []);
    for (const number of own) numbers.add(number);
    return own.map((number) => `[${number}]`).join("");
  });
  return { text: kept.replace(/ +(?=[.,;:!?](?:\s|$))/g, "").trim(), numbers: [...numbers] };
}

/** A line that begins in the middle of a sentence was broken for its length. */
const sentenceEnd = /(?<=[.!?])\s+|\n(?![\p{Ll}`(,])/u;

/** The sentence of `text` that has most in common with what was said of it. */
export function quoteFrom(text: string, said: string, longest = 240): string {
  const wanted = new Set(wordsOf(said));
  const sentences = text
    .split(sentenceEnd)
    .map((one) => one.replace(/\s+/g, " ").trim())
    .filter((one) => one !== "");
  let best = { sentence: sentences[0] ?? "", common: -1 };
  for (const sentence of sentences) {
    const common = new Set(wordsOf(sentence).filter((word) => wanted.has(word))).size;
    if (common > best.common) best = { sentence, common };
  }
  const { sentence } = best;
  return sentence.length <= longest ? sentence : `${sentence.slice(0, longest - 1).toWellFormed()}…`;
}

function wordsOf(text: string): readonly string[] {
  return text.toLowerCase().match(/[\p{L}\p{M}\p{N}]{3,}/gu) ?? [];
}
