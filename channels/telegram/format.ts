/**
 * Markdown to Telegram's HTML. Telegram knows no headings, lists, tables or rules: they are shown with what it has.
 *
 * @see https://core.telegram.org/bots/api#html-style
 */
import type { Dialect } from "../../src/channel.ts";
import { renderMarkdown, type Markup } from "../../src/markdown.ts";
import { textTable } from "../../src/text-table.ts";

const replacements: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

function escape(plain: string): string {
  return /[&<>]/.test(plain) ? plain.replace(/[&<>]/g, (character) => replacements[character] ?? "") : plain;
}

function attribute(value: string): string {
  return value.replace(/[&<>"]/g, (character) => replacements[character] ?? "");
}

const tag = (name: string) => (inner: string) => (inner.trim() === "" ? inner : `<${name}>${inner}</${name}>`);

/** What Telegram makes a link of; it shows other targets as nothing at all, so they are written out. */
const linkable = /^(?:https?|tg|ton|mailto|tel):\S+$/i;

const markup: Markup = {
  text: escape,
  strong: tag("b"),
  emphasis: tag("i"),
  strike: tag("s"),
  code: (plain) => (plain === "" ? "" : `<code>${escape(plain)}</code>`),
  link(inner, href) {
    if (linkable.test(href) && inner.trim() !== "") return `<a href="${attribute(href)}">${inner}</a>`;
    const target = escape(href);
    return inner === target || href === "" ? inner : `${inner} (${target})`.trimStart();
  },
  heading: tag("b"),
  codeBlock(plain, language) {
    if (plain.trim() === "") return "";
    const name = /^[\w+#.-]+/.exec(language)?.[0];
    const code = escape(plain);
    return name === undefined
      ? `<pre>${code}</pre>`
      : `<pre><code class="language-${attribute(name)}">${code}</code></pre>`;
  },
  // Telegram refuses a quote in a quote: the inner one is marked as in an e-mail.
  quote: (inner, depth) => (depth === 0 ? tag("blockquote")(inner) : inner.replace(/^/gm, "&gt; ")),
  table: (rows) => `<pre>${escape(textTable(rows))}</pre>`,
  rule: "———",
};

/** The text as a person reads it, without tags: what goes out where Telegram does not take our HTML. */
export function withoutMarkup(html: string): string {
  const text = html.replace(/<[^>]*>/g, "");
  return text.replace(/&(amp|lt|gt|quot);/g, (all, name) => named[String(name)] ?? all);
}
const named: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"' };

export function hasHtml(rendered: string): boolean {
  return /[<&]/.test(rendered);
}

/** Telegram counts UTF-16 code units after entities parsing. */
export const telegramDialect: Dialect = {
  render: (markdown) => renderMarkdown(markdown, markup),
  escape,
  measure: (rendered) => (hasHtml(rendered) ? withoutMarkup(rendered).length : rendered.length),
};
