/**
 * Markdown to Discord's own. Discord knows no tables and no rules, headings to the third level only, and takes for a mention
 * what stands in angle brackets.
 *
 * @see https://support.discord.com/hc/en-us/articles/210298617
 */
import type { Dialect } from "../../src/channel.ts";
import { renderMarkdown, type Markup } from "../../src/markdown.ts";

const address = /https?:\/\/[^\s<>()[\]"'`\\]+/g;

/** Web addresses stay as they are: Discord links them first, and would show the backslashes in them. */
function escape(plain: string): string {
  if (!/[\\`*_~|<>#\-+:@[\]\d]/.test(plain)) return plain;
  let out = "";
  let at = 0;
  for (const match of plain.matchAll(address)) {
    out += escapeMarks(plain.slice(at, match.index)) + match[0];
    at = match.index + match[0].length;
  }
  return lineStarts(out + escapeMarks(plain.slice(at)));
}

/** A zero-width space after the "@" keeps clients from showing a mention; that nobody is notified is said with each send. */
function escapeMarks(plain: string): string {
  return plain
    .replace(/[\\`*_~|[\]]/g, "\\$&")
    .replace(/<(?=[@#:/]|a:|t:|id:)/g, "\\<")
    .replace(/@(?=everyone|here)/g, "@\u200b");
}

/** What only means something where a line begins: headings, quotes, lists, small print. */
function lineStarts(text: string): string {
  return text.replace(/^(\s*)(#{1,3}(?= )|>|[-+](?= )|-#|\d{1,9}(?=\. ))/gm, (_all, space: string, mark: string) => {
    return /\d/.test(mark) ? `${space}${mark}\\` : `${space}\\${mark}`;
  });
}

const around = (mark: string) => (inner: string) => (inner.trim() === "" ? inner : `${mark}${inner}${mark}`);

const markup: Markup = {
  text: escape,
  strong: around("**"),
  emphasis: around("*"),
  strike: around("~~"),
  code(plain) {
    if (plain === "") return "";
    return plain.includes("`") ? `\`\` ${plain.replaceAll("``", "`\u200b`")} \`\`` : `\`${plain}\``;
  },
  link(inner, href) {
    if (/^https?:\/\/[^\s()<>]+$/i.test(href) && inner.trim() !== "") {
      return inner === href || /^https?:/i.test(inner) ? href : `[${inner}](${href})`;
    }
    const target = /^https?:/i.test(href) ? href : escape(href);
    return inner === target || href === "" ? inner : `${inner} (${target})`.trimStart();
  },
  heading: (inner, level) => (level <= 3 ? `${"#".repeat(level)} ${inner}` : around("**")(inner)),
  codeBlock: (plain, language) => (plain.trim() === "" ? "" : fenced(plain, /^[\w+#.-]+/.exec(language)?.[0])),
  // Discord has one level of quotes: inner ones keep their mark as text.
  quote: (inner, depth) => inner.replace(/^/gm, depth === 0 ? "> " : "\\> "),
  table: (rows) => fenced(aligned(rows)),
  rule: "———",
};

function fenced(plain: string, language = ""): string {
  return `\`\`\`${language}\n${plain.replaceAll("```", "``\u200b`")}\n\`\`\``;
}

/** Columns under each other in a monospaced font. */
function aligned(rows: readonly (readonly string[])[]): string {
  const cells = rows.map((row) => row.map((cell) => cell.replaceAll("\n", " ")));
  const widths: number[] = [];
  for (const row of cells) for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, width(cell));
  const line = (row: readonly string[]) =>
    row
      .map((cell, at) => cell + " ".repeat((widths[at] ?? 0) - width(cell)))
      .join(" │ ")
      .trimEnd();
  const [header = [], ...body] = cells;
  return [line(header), widths.map((count) => "─".repeat(count)).join("─┼─"), ...body.map(line)].join("\n");
}

/** Columns a text takes: two for East Asian wide characters and emoji, none for combining marks. */
function width(text: string): number {
  let columns = 0;
  for (const character of text) {
    if (/\p{Mn}|\u200d|\ufe0f/u.test(character)) continue;
    columns +=
      /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60]|\p{Emoji_Presentation}/u.test(
        character,
      )
        ? 2
        : 1;
  }
  return columns;
}

/** Discord counts what is written, marks included; in UTF-16 code units at the most. */
export const discordDialect: Dialect = {
  render: (markdown) => renderMarkdown(markdown, markup),
  escape,
  measure: (rendered) => rendered.length,
};
