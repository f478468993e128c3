import type { DocumentText, PageLink } from "../../src/reading.ts";
import { piecesOf, unescapeEntities } from "./markup.ts";

const blocks = new Set(
  (
    "p div section article header footer main nav aside h1 h2 h3 h4 h5 h6 ul ol li table tr br hr pre blockquote dl dt dd form " +
    "figure figcaption title body option"
  ).split(" "),
);

const cells = new Set(["td", "th"]);
const mostLinks = 300;
const longestHref = 2_000;
const longestLinkText = 120;

/**
 * The text of a page as a person reads it, a block on a line; a little more than `maxChars` at most.
 * @param marked headings are lines of "# ", and the title is told beside the text only.
 */
export function readHtml(source: string, maxChars: number, marked: boolean): Omit<DocumentText, "cut"> {
  const lines: string[] = [];
  const links = createLinks();
  let title: string | undefined;
  let heading = "";
  let line = "";
  let length = 0;
  const flush = (): void => {
    const text = line.replace(/[^\S\t]+/g, " ").trim();
    line = "";
    if (text === "") return;
    lines.push(`${heading}${text}`);
    length += heading.length + text.length + 1;
  };
  for (const piece of piecesOf(source, true)) {
    if (piece.kind === "text") {
      line += piece.text.replace(/\s+/g, " ");
      links.text(piece.text);
    } else {
      links.tag(piece);
      if (piece.kind === "close" && piece.name === "title") {
        title ??= line.replace(/\s+/g, " ").trim();
        if (marked) line = "";
      }
      if (blocks.has(piece.name)) {
        flush();
        const level = marked && piece.kind === "open" ? /^h([1-6])$/.exec(piece.name)?.[1] : undefined;
        if (/^h[1-6]$/.test(piece.name)) heading = level === undefined ? "" : `${"#".repeat(Number(level))} `;
        if (piece.kind === "open" && piece.name === "li") line = "- ";
      } else if (piece.kind === "open" && cells.has(piece.name) && line.trim() !== "") line += "\t";
    }
    if (length + line.length > maxChars * 2) break;
    if (length > maxChars) break;
  }
  flush();
  return { text: lines.join("\n"), ...links.all(), ...(title === undefined || title === "" ? {} : { title }) };
}

/** Where the page leads. */
function createLinks() {
  const found: { text: string; readonly href: string }[] = [];
  let base: string | undefined;
  let inside = false;
  return {
    text(text: string): void {
      const last = found.at(-1);
      if (inside && last !== undefined && last.text.length < longestLinkText) last.text += text;
    },
    tag({
      kind,
      name,
      attributes,
    }: {
      readonly kind: string;
      readonly name: string;
      readonly attributes: string;
    }): void {
      if (name === "base" && kind === "open") base ??= hrefOf(attributes);
      if (name !== "a") return;
      const href = kind === "open" ? hrefOf(attributes) : undefined;
      inside = href !== undefined && found.length < mostLinks;
      if (inside && href !== undefined) found.push({ text: "", href });
    },
    all(): { readonly links: readonly PageLink[]; readonly base?: string } {
      const links = found.map(({ text, href }) => ({
        text: text.replace(/\s+/g, " ").trim().slice(0, longestLinkText).toWellFormed(),
        href,
      }));
      return { links, ...(base === undefined ? {} : { base }) };
    },
  };
}

function hrefOf(attributes: string): string | undefined {
  const [, double, single, bare] =
    /(?:^|\s)href\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))/i.exec(attributes.slice(0, 4 * longestHref)) ?? [];
  const href = unescapeEntities((double ?? single ?? bare ?? "").trim());
  return href === "" || href.length > longestHref ? undefined : href;
}
