/**
 * Splitting of a text that is longer than a platform's message: between blocks where that is possible, then between list
 * items, rows and lines, then sentences, words, and in the last resort graphemes and code points. What is cut open is closed
 * in one part and opened again in the next: code fences with their language, quotes, tables with their header, numbering
 * of lists, bold and links.
 *
 * The same text gives the same parts, always: a delivery that was interrupted goes on with the part that is missing.
 */
import type { Token, Tokens } from "marked";
import type { Dialect } from "./channel.ts";
import { escapeMarkdown, parse } from "./markdown.ts";

/** @returns the rendered parts, none empty, each at most `max` long as the dialect measures it. */
export function split(text: string, format: "plain" | "markdown", dialect: Dialect, max: number): string[] {
  const fitsAs = (render: (source: string) => string) => (source: string) => dialect.measure(render(source)) <= max;
  const plain = (source: string) =>
    pack(words(source, escapeNothing), fitsAs(dialect.escape)).map((piece) => dialect.escape(piece));
  const tokens = format === "markdown" ? parse(text) : undefined;
  const parts =
    tokens === undefined
      ? plain(text)
      : document(tokens, fitsAs(dialect.render), 0).flatMap((piece) => {
          const rendered = dialect.render(piece);
          return dialect.measure(rendered) <= max ? [rendered] : plain(piece);
        });
  return parts.map((part) => part.trim()).filter((part) => part !== "");
}

type Fits = (source: string) => boolean;

/** Something that can be cut after any of its units. */
interface Sequence {
  readonly length: number;
  /** The markdown that shows the units from `from` up to but without `to`. */
  source(from: number, to: number): string;
  /** How good a cut after this unit is; the higher the better. */
  quality(unit: number): number;
  size(unit: number): number;
  /** A unit that does not fit, in pieces that do. */
  smaller(unit: number): string[];
}

/** Parts as long as fit, each cut at the best place of its second half. */
function pack(sequence: Sequence, fits: Fits): string[] {
  const pieces: string[] = [];
  for (let from = 0; from < sequence.length;) {
    const longest = longestFit(sequence, from, fits);
    if (longest === from) {
      pieces.push(...sequence.smaller(from));
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

/** Nesting that is taken apart; what is deeper is cut as text. */
const deepest = 6;

function document(tokens: readonly Token[], fits: Fits, depth: number): string[] {
  const defs = tokens.flatMap((token) => (token.type === "def" ? [token.raw.trim()] : [])).join("\n");
  const shown = tokens.filter((token) => token.type !== "def");
  const source = shown.map((token) => token.raw);
  // Reference links need their definitions, wherever those stood.
  const withDefs = (piece: string) => (defs !== "" && piece.includes("[") ? `${piece}\n\n${defs}` : piece);
  const isBlock = (index: number) => shown[index]?.type !== "space";
  return pack(
    {
      length: shown.length,
      source: (from, to) =>
        withDefs(
          source
            .slice(from, to)
            .join("")
            .replace(/^\n+|\s+$/g, ""),
        ),
      quality: (index) =>
        shown[index]?.type === "heading" || (isBlock(index) && shown[index + 1]?.type === "space") ? 0 : 1,
      size: (index) => source[index]?.length ?? 0,
      smaller: (index) => {
        const token = shown[index];
        return token === undefined || token.type === "space" ? [] : block(token, withDefs, fits, depth);
      },
    },
    fits,
  );
}

function block(token: Token, withDefs: (piece: string) => string, fits: Fits, depth: number): string[] {
  const within = (wrap: (piece: string) => string) => (piece: string) => fits(withDefs(wrap(piece)));
  if (depth < deepest) {
    if (token.type === "code") return code(token as Tokens.Code, fits);
    if (token.type === "table") return table(token as Tokens.Table, withDefs, fits);
    if (token.type === "list") return list(token as Tokens.List, within, depth).map(withDefs);
    if (token.type === "blockquote") {
      const quote = (piece: string) => piece.replace(/^/gm, "> ");
      return document(token.tokens ?? [], within(quote), depth + 1).map((piece) => withDefs(quote(piece)));
    }
  }
  if (token.type === "heading") {
    const marks = `${"#".repeat((token as Tokens.Heading).depth)} `;
    const heading = (piece: string) => marks + piece.replace(/\s*\n\s*/g, " ");
    return pack(spans(token.tokens ?? []), within(heading)).map((piece) => withDefs(heading(piece)));
  }
  const inner = "tokens" in token && depth < deepest ? token.tokens : undefined;
  return pack(inner === undefined ? words(token.raw, escapeMarkdown) : spans(inner), within(asIs)).map(withDefs);
}

const asIs = (piece: string): string => piece;
const escapeNothing = asIs;

function code(token: Tokens.Code, fits: Fits): string[] {
  const longestRun = Math.max(0, ...[...token.text.matchAll(/`+/g)].map((run) => run[0].length));
  const fence = "`".repeat(Math.max(3, longestRun + 1));
  const fenced = (text: string) => `${fence}${token.lang ?? ""}\n${text}\n${fence}`;
  const inside: Fits = (text) => fits(fenced(text));
  const lines = token.text.split("\n");
  const pieces = pack(
    {
      length: lines.length,
      source: (from, to) => lines.slice(from, to).join("\n"),
      // Rather between paragraphs of code than within one.
      quality: (index) => (lines[index + 1]?.trim() === "" ? 1 : 0),
      size: (index) => (lines[index]?.length ?? 0) + 1,
      smaller: (index) => pack(words(lines[index] ?? "", escapeNothing), inside),
    },
    inside,
  );
  return pieces.filter((piece) => piece.trim() !== "").map(fenced);
}

function table(token: Tokens.Table, withDefs: (piece: string) => string, fits: Fits): string[] {
  const [header = "", align = "", ...rows] = token.raw.trimEnd().split("\n");
  const source = (from: number, to: number) => withDefs([header, align, ...rows.slice(from, to)].join("\n"));
  const asText = (row: readonly Tokens.TableCell[]) =>
    pack(words(row.map((cell) => cell.text).join(" · "), escapeMarkdown), fits);
  if (!fits(source(0, 0))) return [token.header, ...token.rows].flatMap(asText);
  return pack(
    {
      length: rows.length,
      source,
      quality: () => 0,
      size: (index) => rows[index]?.length ?? 0,
      smaller: (index) => asText(token.rows[index] ?? []),
    },
    fits,
  );
}

function list(token: Tokens.List, within: (wrap: (piece: string) => string) => Fits, depth: number): string[] {
  const start = token.start === "" ? 1 : token.start;
  const items = token.items.map((item, index) => {
    const marker = `${token.ordered ? `${start + index}.` : "-"} `;
    const box = item.task ? `[${item.checked === true ? "x" : " "}] ` : "";
    return (text: string) => marker + box + text.replaceAll("\n", `\n${" ".repeat(marker.length)}`);
  });
  const whole = (index: number) => items[index]?.(token.items[index]?.text ?? "") ?? "";
  return pack(
    {
      length: items.length,
      source: (from, to) => Array.from({ length: to - from }, (_, index) => whole(from + index)).join("\n"),
      quality: () => 0,
      size: (index) => token.items[index]?.raw.length ?? 0,
      smaller: (index) => {
        const item = items[index] ?? asIs;
        const inner = parse(token.items[index]?.text ?? "") ?? [];
        return document(inner, within(item), depth + 1).map((piece, at) => (at === 0 ? item(piece) : piece));
      },
    },
    within(asIs),
  );
}

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

function spans(tokens: readonly Token[]): Sequence {
  return sequenceOf(flatten(tokens, []));
}

/** Words without markup of their own; `escape` turns a piece into the source that shows it. */
function words(text: string, escape: (text: string) => string): Sequence {
  return sequenceOf(cut(text, [], escape));
}

function sequenceOf(units: readonly Span[]): Sequence {
  return {
    length: units.length,
    source: (from, to) => {
      const source = group(units.slice(from, to), 0);
      // The middle of a paragraph must not begin a block.
      return from === 0 ? source.trimEnd() : source.trim().replace(/^(?=[-+=>#]|```|~~~)|^(\d{1,9})(?=[.)])/, "$1\\");
    },
    quality: (index) => units[index]?.quality ?? 0,
    size: (index) => units[index]?.source.length ?? 0,
    smaller: (index) => [...(units[index]?.source ?? "")],
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

const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });

function cut(text: string, inside: readonly Wrapper[], escape: (text: string) => string): Span[] {
  const found = text.match(/\S+\s*|\s+/g) ?? [];
  return found.flatMap((word): Span[] => {
    const quality = word.includes("\n") ? 3 : /[.!?…。！？]["')\]»”’]*\s+$/.test(word) ? 2 : 1;
    if (word.length <= longestWord) return [{ source: escape(word), quality, inside }];
    const escapeIn = escape === asIs && inside.length === 0 ? asIs : escape;
    return Array.from(graphemes.segment(word), ({ segment }) => ({ source: escapeIn(segment), quality: 0, inside }));
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
