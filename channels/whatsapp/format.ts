/**
 * Markdown to WhatsApp's own marks. WhatsApp knows no headings, tables, rules or named links: they are shown with what it
 * has. It also knows no way to escape a mark: an invisible joiner takes the mark's effect away.
 *
 * @see https://faq.whatsapp.com/539178204879377
 */
import type { Dialect } from "../../src/channel.ts";
import { renderMarkdown, type Markup } from "../../src/markdown.ts";

/** WORD JOINER: shows as nothing, breaks no line. */
const joiner = "\u2060";
/** A mark at the start of a word that finds its partner at the end of one, on the same line. */
const pair = /(^|[^\p{L}\p{N}*_~`])([*_~`])(?=\S(?:[^\n]*?\S)?\2(?![\p{L}\p{N}]))/gu;
const fence = /`{3}/g;
const lineMark = /^(?=>\s|[*-]\s|\d+\.\s)/gm;
const address = /(https?:\/\/\S+)/;

function escape(plain: string): string {
  if (!/[*_~`>]|^[-\d]/m.test(plain)) return plain;
  // An address stays as it is: a joiner in it would lead elsewhere.
  return plain
    .split(address)
    .map((piece, at) => (at % 2 === 1 ? piece : withoutMarks(piece, at === 0)))
    .join("");
}

function withoutMarks(text: string, atStart: boolean): string {
  const words = text.replace(fence, `\`${joiner}\`${joiner}\``).replace(pair, `$1$2${joiner}`);
  // A list looks the same either way; a quote does not.
  return words.replace(lineMark, (_all, offset: number) => {
    return words[offset] === ">" && (offset > 0 || atStart) ? joiner : "";
  });
}

/** A mark on every line, close to the words: elsewhere WhatsApp shows the mark itself. */
const wrapped =
  (mark: string) =>
  (inner: string): string =>
    inner.replace(
      /^([^\S\n]*)(\S(?:[^\n]*\S)?)/gm,
      (_all, space: string, words: string) => `${space}${mark}${words}${mark}`,
    );
const bold = wrapped("*");

const markup: Markup = {
  text: escape,
  strong: bold,
  emphasis: wrapped("_"),
  strike: wrapped("~"),
  code: (plain) => (plain.includes("`") || plain.trim() === "" ? escape(plain) : `\`${plain}\``),
  link(inner, href) {
    if (inner === href || href === "" || inner === escape(href)) return href === "" ? inner : href;
    return inner.trim() === "" ? href : `${inner} (${href})`;
  },
  heading: (inner) => bold(inner.replace(/\*([^*\n]+)\*/g, "$1")),
  codeBlock: (plain) => (plain.trim() === "" ? "" : fenced(plain)),
  quote: (inner) => inner.replace(/^(?:> )?/gm, "> "),
  table: (rows) => fenced(aligned(rows)),
  rule: "———",
};

function fenced(plain: string): string {
  return `\`\`\`\n${plain.replace(fence, `\`${joiner}\`${joiner}\``)}\n\`\`\``;
}

/** Columns under each other in a monospaced font. */
function aligned(rows: readonly (readonly string[])[]): string {
  const cells = rows.map((row) => row.map((cell) => cell.replace(/\s+/g, " ").trim()));
  const widths: number[] = [];
  for (const row of cells) for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, cell.length);
  const line = (row: readonly string[]) =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join(" | ")
      .trimEnd();
  const [header = [], ...body] = cells;
  return [line(header), widths.map((width) => "-".repeat(width)).join("-+-"), ...body.map(line)].join("\n");
}

/** WhatsApp counts its marks too; UTF-16 code units are never fewer than its characters. */
export const whatsappDialect: Dialect = {
  render: (markdown) => renderMarkdown(markdown, markup),
  escape,
  measure: (rendered) => rendered.length,
};
