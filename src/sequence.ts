/**
 * Cutting a run of units (blocks, items, rows, lines, words) into pieces that fit: what `split.ts` is built of.
 */
import type { Token, Tokens } from "marked";
import { escapeMarkdown } from "./markdown.ts";

/** Whether a piece, once rendered, is within the limit. */
export type Fits = (source: string) => boolean;

/** Something that can be cut after any of its units. */
export interface Sequence {
  readonly length: number;
  /** The markdown that shows the units from `from` up to but without `to`. */
  source(from: number, to: number): string;
  /** How good a cut after this unit is; the higher the better. */
  quality(unit: number): number;
  size(unit: number): number;
  /** A unit that does not fit, in pieces that do where that is possible. */
  smaller(unit: number, fits: Fits): string[];
}

/** Parts as long as fit, each cut at the best place of its second half. */
export function pack(sequence: Sequence, fits: Fits): string[] {
  const pieces: string[] = [];
  for (let from = 0; from < sequence.length;) {
    const longest = longestFit(sequence, from, fits);
    if (longest === from) {
      pieces.push(...sequence.smaller(from, fits));
      from += 1;
      continue;
    }
    const to = longest === sequence.length ? longest : bestCut(sequence, from, longest, fits);
    pieces.push(sequence.source(from, to));
    from = to;
  }
  return pieces;
}

function longestFit(sequence: Sequence, from: number, fits: Fits): number {
  let good = from;
  let step = 1;
  while (good + step <= sequence.length && fits(sequence.source(from, good + step))) {
    good += step;
    step *= 2;
  }
  let bad = Math.min(good + step, sequence.length + 1);
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    if (fits(sequence.source(from, middle))) good = middle;
    else bad = middle;
  }
  return good;
}

function bestCut(sequence: Sequence, from: number, longest: number, fits: Fits): number {
  let total = 0;
  for (let unit = from; unit < longest; unit += 1) total += sequence.size(unit);
  let best = longest;
  let left = total;
  for (let unit = longest - 1; unit > from && left > total / 2; unit -= 1) {
    left -= sequence.size(unit);
    if (sequence.quality(unit - 1) > sequence.quality(best - 1)) best = unit;
  }
  return best === longest || fits(sequence.source(from, best)) ? best : longest;
}

export const asIs = (piece: string): string => piece;

/** A piece of inline text and the markup it stands in, outermost first. */
interface Span {
  readonly source: string;
  readonly quality: number;
  readonly inside: readonly Wrapper[];
}
interface Wrapper {
  readonly open: string;
  readonly close: string;
}

/** A word of this length is cut by graphemes where it must be. */
const longestWord = 100;

export function spans(tokens: readonly Token[]): Sequence {
  return sequenceOf(flatten(tokens, []), escapeMarkdown);
}

/** Words without markup of their own; `escape` turns a piece into the source that shows it. */
export function words(text: string, escape: (text: string) => string): Sequence {
  return sequenceOf(cut(text, [], escape), asIs);
}

/** `again` turns a part of a unit's source into source that shows it. */
function sequenceOf(units: readonly Span[], again: (text: string) => string): Sequence {
  return {
    length: units.length,
    source: (from, to) => {
      const source = group(units.slice(from, to), 0);
      // The middle of a paragraph must not begin a block.
      return from === 0 ? source.trimEnd() : source.trim().replace(/^(?=[-+=>#]|```|~~~)|^(\d{1,9})(?=[.)])/, "$1\\");
    },
    quality: (index) => units[index]?.quality ?? 0,
    size: (index) => units[index]?.source.length ?? 0,
    smaller: (index, fits) => {
      const { source = "", inside = [] } = units[index] ?? {};
      const letters = Array.from(graphemesIn(source), ({ segment }) => segment);
      const smallest = letters.length > 1 ? letters : Array.from(source);
      if (smallest.length <= 1) return [source];
      const finer = smallest.map((letter) => ({ source: again(letter), quality: 0, inside }));
      return pack(sequenceOf(finer, asIs), fits);
    },
  };
}

function flatten(tokens: readonly Token[], inside: readonly Wrapper[]): Span[] {
  return tokens.flatMap((token): Span[] => {
    const { raw } = token;
    if (token.type === "text" && !("tokens" in token)) return cut(raw, inside, asIs);
    if (token.type === "br") return [{ source: raw, quality: 3, inside }];
    if (token.type === "codespan" && raw.length > longestWord) {
      const ticks = /^`+/.exec(raw)?.[0] ?? "`";
      return cut((token as Tokens.Codespan).text, [...inside, { open: ticks, close: ticks }], asIs);
    }
    const inner = "tokens" in token && token.tokens !== undefined ? token.tokens : [];
    const content = inner.map((child) => child.raw).join("");
    const at = raw.indexOf(content);
    if (inner.length > 0 && at > 0 && content !== "") {
      return flatten(inner, [...inside, { open: raw.slice(0, at), close: raw.slice(at + content.length) }]);
    }
    if (inner.length > 0 && token.type === "text") return flatten(inner, inside);
    return raw.length > longestWord ? cut(raw, inside, escapeMarkdown) : [{ source: raw, quality: 0, inside }];
  });
}

/** Made when first needed: that takes some milliseconds, which the start of the process has not. */
let segmenter: Intl.Segmenter | undefined;

function graphemesIn(text: string): Intl.Segments {
  segmenter ??= new Intl.Segmenter(undefined, { granularity: "grapheme" });
  return segmenter.segment(text);
}

function cut(text: string, inside: readonly Wrapper[], escape: (text: string) => string): Span[] {
  const found = text.match(/\S+\s*|\s+/g) ?? [];
  return found.flatMap((word): Span[] => {
    const quality = word.includes("\n") ? 3 : /[.!?…。！？]["')\]»”’]*\s+$/.test(word) ? 2 : 1;
    if (word.length <= longestWord) return [{ source: escape(word), quality, inside }];
    const escapeIn = escape === asIs && inside.length === 0 ? asIs : escape;
    return Array.from(graphemesIn(word), ({ segment }) => ({ source: escapeIn(segment), quality: 0, inside }));
  });
}

/** Neighbours in the same markup share it; white space at its edges goes outside, where markdown wants it. */
function group(units: readonly Span[], level: number): string {
  let out = "";
  for (let from = 0; from < units.length;) {
    const wrapper = units[from]?.inside[level];
    if (wrapper === undefined) {
      out += units[from]?.source ?? "";
      from += 1;
      continue;
    }
    let to = from;
    while (units[to]?.inside[level] === wrapper) to += 1;
    const inner = group(units.slice(from, to), level + 1);
    const text = inner.trim();
    out += text === "" ? inner : inner.replace(text, () => wrapper.open + text + wrapper.close);
    from = to;
  }
  return out;
}
