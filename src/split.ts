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
import { asIs, pack, spans, words, type Fits } from "./sequence.ts";

/** @returns the rendered parts, none empty, each at most `max` long as the dialect measures it. */
export function split(text: string, format: "plain" | "markdown", dialect: Dialect, max: number): string[] {
  const fitsAs = (render: (source: string) => string) => (source: string) => dialect.measure(render(source)) <= max;
  const plain = (source: string) =>
    pack(words(source, asIs), fitsAs(dialect.escape)).map((piece) => dialect.escape(piece));
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

/** Nesting that is taken apart; what is deeper is cut as text. */
const deepest = 6;

function document(tokens: readonly Token[], fits: Fits, depth: number): string[] {
  const defs = tokens.flatMap((token) => (token.type === "def" ? [token.raw.trim()] : [])).join("\n");
  const shown = tokens.filter((token) => token.type !== "def");
  const source = shown.map((token) => token.raw);
  // Reference links need their definitions, wherever those stood.
  const withDefs = (piece: string) => (defs !== "" && piece.includes("[") ? `${piece}\n\n${defs}` : piece);
  const isBlank = (index: number) => shown[index]?.type === "space";
  // After the empty lines behind a block, and never between a heading and what it heads.
  const isGoodCut = (index: number) =>
    shown[isBlank(index) ? index - 1 : index]?.type !== "heading" && !isBlank(index + 1);
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
      quality: (index) => (isGoodCut(index) ? 1 : 0),
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

function code(token: Tokens.Code, fits: Fits): string[] {
  const longestRun = Math.max(0, ...[...token.text.matchAll(/`+/g)].map((run) => run[0].length));
  const fence = "`".repeat(Math.max(3, longestRun + 1));
  const fenced = (text: string) => `${fence}${token.lang ?? ""}\n${text}\n${fence}`;
  const inside: Fits = (text) => fits(fenced(text));
  // Where the fences alone fill a message they go.
  if (!inside("x".repeat(8))) return pack(words(token.text, escapeMarkdown), fits);
  const lines = token.text.split("\n");
  const pieces = pack(
    {
      length: lines.length,
      source: (from, to) => lines.slice(from, to).join("\n"),
      // Rather between paragraphs of code than within one.
      quality: (index) => (lines[index + 1]?.trim() === "" ? 1 : 0),
      size: (index) => (lines[index]?.length ?? 0) + 1,
      smaller: (index) => pack(words(lines[index] ?? "", asIs), inside),
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
  // A row that finds no place below the header: the table becomes lines.
  if (rows.some((_row, at) => !fits(source(at, at + 1)))) return [token.header, ...token.rows].flatMap(asText);
  return pack(
    {
      length: rows.length,
      source,
      quality: () => 0,
      size: (index) => rows[index]?.length ?? 0,
      smaller: () => [],
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
