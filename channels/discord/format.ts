/**
 * Markdown to Discord's own. Discord knows no tables and no rules, headings to the third level only, and takes for a mention
 * what stands in angle brackets.
 *
 * @see https://support.discord.com/hc/en-us/articles/210298617
 */
import type { Dialect } from "../../src/channel.ts";
import { renderMarkdown, type Markup } from "../../src/markdown.ts";
import { textTable } from "../../src/text-table.ts";

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
  table: (rows) => fenced(textTable(rows)),
  rule: "———",
};

function fenced(plain: string, language = ""): string {
  return `\`\`\`${language}\n${plain.replaceAll("```", "``\u200b`")}\n\`\`\``;
}

/** Discord counts what is written, marks included; in UTF-16 code units at the most. */
export const discordDialect: Dialect = {
  render: (markdown) => renderMarkdown(markdown, markup),
  escape,
  measure: (rendered) => rendered.length,
};
