/**
 * Markdown (CommonMark, GFM) as agents write it, read once for all channels: a channel's dialect is a {@link Markup}, a set
 * of small functions that are called from the leaves upwards.
 *
 * Nothing here throws: what the parser cannot take (5,000 nested quotes overflow its stack) is shown as plain text.
 */
import { lexer, type Token, type Tokens } from "marked";

/** What a platform writes for each thing that markdown knows. `plain` is raw text, `inner` is already in the platform's markup. */
export interface Markup {
  text(plain: string): string;
  strong(inner: string): string;
  emphasis(inner: string): string;
  strike(inner: string): string;
  code(plain: string): string;
  /** `href` as it was written: any scheme, possibly relative. Also images, with their description as `inner`. */
  link(inner: string, href: string): string;
  heading(inner: string, level: number): string;
  /** `language` may be empty. */
  codeBlock(plain: string, language: string): string;
  /** `depth` is 0 for a quote that stands in no other quote. */
  quote(inner: string, depth: number): string;
  /** Rows of plain cells; the first is the header. */
  table(rows: readonly (readonly string[])[]): string;
  readonly rule: string;
}

/** Beyond this the text is not parsed: markdown's worst cases grow faster than the text. */
const longestParsed = 100_000;

/**
 * False for text that means the same as markdown and as plain text, without parsing it: most of what people and agents
 * write. Web addresses are such text: platforms find them by themselves.
 */
export function hasMarkup(text: string): boolean {
  return /[\\`*_~[\]<>&|#\r\t]|^ |^(?:[-+=]|\d{1,9}[.)])| $|\n\n\n/m.test(text);
}

/** The blocks of a document, or undefined where it cannot be parsed. */
export function parse(markdown: string): Token[] | undefined {
  if (markdown.length > longestParsed || isDense(markdown)) return undefined;
  try {
    return lexer(markdown);
  } catch {
    return undefined; // a stack overflow or a bug of the parser: the caller shows the text as it is
  }
}

/**
 * True for a paragraph that is little but delimiters, on which the parser's time grows with the square of the length: 60 kB
 * of "*a_" took it three minutes.
 */
function isDense(markdown: string): boolean {
  if (markdown.length < 400) return false;
  return markdown.split(/\n[ \t]*\n/).some((paragraph) => {
    const runs = paragraph.match(/[*_`]+/g)?.length ?? 0;
    return runs > 150 && runs > paragraph.length * 0.15;
  });
}

export function renderMarkdown(markdown: string, markup: Markup): string {
  if (!hasMarkup(markdown)) return markup.text(markdown.trim());
  const tokens = parse(markdown);
  if (tokens === undefined) return markup.text(markdown);
  try {
    return blocks(tokens, markup, { list: 0, quote: 0 });
  } catch (error) {
    if (error instanceof RangeError) return markup.text(markdown);
    throw error;
  }
}

/** The text without its markup; targets of links stay where the text does not name them. */
export function plainText(markdown: string): string {
  return renderMarkdown(markdown, plainMarkup);
}

/** Plain text as markdown that shows it: what would be markup is escaped. */
export function escapeMarkdown(plain: string): string {
  return plain
    .replace(/[\\`*_~[\]<>&|#!]/g, "\\$&")
    .replace(/^(\s*)([-+=]|\d{1,9}(?=[.)]))/gm, (_all, space, marker) => {
      return /\d/.test(String(marker)) ? `${String(space)}${String(marker)}\\` : `${String(space)}\\${String(marker)}`;
    });
}

const plainMarkup: Markup = {
  text: (plain) => plain,
  strong: (inner) => inner,
  emphasis: (inner) => inner,
  strike: (inner) => inner,
  code: (plain) => plain,
  link: (inner, href) => (inner === "" || href.endsWith(inner) ? href : `${inner} (${href})`),
  heading: (inner) => inner,
  codeBlock: (plain) => plain,
  quote: (inner) => inner.replace(/^/gm, "> "),
  table: (rows) => rows.map((row) => row.join(" | ")).join("\n"),
  rule: "———",
};

interface Depth {
  readonly list: number;
  readonly quote: number;
}

/** Blocks keep the distance that their author gave them: an empty line or none. */
function blocks(tokens: readonly Token[], markup: Markup, depth: Depth): string {
  let out = "";
  let before = "";
  for (const token of tokens) {
    const rendered = block(token, markup, depth);
    if (rendered !== "") {
      // The box of a task stands on the line of its text.
      if (out !== "" && !/\[[ xX]\] $/.test(before)) out += /\n[ \t]*\n\s*$/.test(before) ? "\n\n" : "\n";
      out += rendered;
      before = "";
    }
    before += token.raw;
  }
  return out;
}

function block(token: Token, markup: Markup, depth: Depth): string {
  switch (token.type) {
    case "heading":
      return markup.heading(inline(token.tokens ?? [], markup), (token as Tokens.Heading).depth);
    case "code":
      return markup.codeBlock((token as Tokens.Code).text, (token as Tokens.Code).lang ?? "");
    case "blockquote":
      return markup.quote(blocks(token.tokens ?? [], markup, { ...depth, quote: depth.quote + 1 }), depth.quote);
    case "list":
      return list(token as Tokens.List, markup, depth);
    case "table": {
      const { header, rows } = token as Tokens.Table;
      return markup.table([header, ...rows].map((row) => row.map((cell) => inline(cell.tokens, plainMarkup))));
    }
    case "hr":
      return markup.rule;
    case "space":
    case "def":
      return "";
    case "html":
      return markup.text((token as Tokens.HTML).text.trim());
    default: // paragraph, text, and what stands in a list item without a paragraph
      return token.type !== "checkbox" && "tokens" in token && token.tokens !== undefined
        ? inline(token.tokens, markup).trim()
        : inline([token], markup);
  }
}

function list(token: Tokens.List, markup: Markup, depth: Depth): string {
  const indent = "  ".repeat(depth.list);
  const start = Number(token.start) || (token.ordered && token.start === 0 ? 0 : 1);
  const items = token.items.map((item, index) => {
    const marker = token.ordered ? `${start + index}. ` : item.task ? "" : "• ";
    const body = blocks(item.tokens, markup, { ...depth, list: depth.list + 1 });
    return `${indent}${markup.text(marker)}${body.replaceAll("\n\n", "\n")}`.trimEnd();
  });
  return items.join("\n");
}

function inline(tokens: readonly Token[], markup: Markup): string {
  let out = "";
  for (const token of tokens) out += span(token, markup);
  return out;
}

function span(token: Token, markup: Markup): string {
  switch (token.type) {
    case "strong":
      return markup.strong(inline(token.tokens ?? [], markup));
    case "em":
      return markup.emphasis(inline(token.tokens ?? [], markup));
    case "del":
      return markup.strike(inline(token.tokens ?? [], markup));
    case "codespan":
      return markup.code((token as Tokens.Codespan).text);
    case "link": {
      const { raw, href, tokens: inner, autolink } = token as Tokens.Link & { autolink?: boolean };
      // A bare address is text: platforms link it themselves, and it reads the same where they do not.
      if (autolink === true || raw === href) return markup.text(raw.replace(/^<|>$/g, ""));
      return markup.link(inline(inner, markup), href);
    }
    case "image": {
      const { text, href } = token as Tokens.Image;
      return markup.link(markup.text(text === "" ? href : decode(text)), href);
    }
    case "br":
      return "\n";
    case "checkbox":
      return (token as Tokens.Checkbox).checked ? "☑ " : "☐ ";
    case "escape":
      return markup.text((token as Tokens.Escape).text);
    case "html":
      return /^<br\s*\/?>$/i.test(token.raw) ? "\n" : markup.text(token.raw);
    default:
      if ("tokens" in token && token.tokens !== undefined) return inline(token.tokens, markup);
      return markup.text(decode("text" in token ? String(token.text) : token.raw));
  }
}

const named: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'", nbsp: "\u00a0" };

/** Character references; those it does not know stay as they are. */
function decode(text: string): string {
  if (!text.includes("&")) return text;
  return text.replace(/&(?:#(\d{1,7})|#x([\da-f]{1,6})|([a-z]+));/gi, (all, decimal, hex, name) => {
    if (name !== undefined) return named[String(name)] ?? all;
    const code = decimal === undefined ? Number.parseInt(String(hex), 16) : Number(decimal);
    return code > 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff) ? String.fromCodePoint(code) : "\ufffd";
  });
}
