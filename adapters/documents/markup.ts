/** XML and HTML, read from the front in one pass: time and memory grow with the length only, however deep they nest. */

export type Piece =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "open" | "close"; readonly name: string; readonly attributes: string };

/** What stands in these is no markup, and no text for people either. */
const unread = new Set(["script", "style", "template", "noscript", "svg", "iframe", "object"]);

/** @param html elements whose content nobody reads are left out, and their names are in lower case. */
export function* piecesOf(source: string, html = false): Generator<Piece> {
  for (let at = 0; at < source.length;) {
    const open = source.indexOf("<", at);
    if (open !== at) yield { kind: "text", text: unescapeEntities(source.slice(at, open < 0 ? undefined : open)) };
    if (open < 0) return;
    const special = skipped(source, open);
    if (special !== undefined) {
      if (special.text !== "") yield { kind: "text", text: special.text };
      at = special.end;
      continue;
    }
    const tag = /<(\/?)([a-zA-Z][\w:.-]{0,80})/y;
    tag.lastIndex = open;
    const [, slash = "", given] = tag.exec(source) ?? [];
    const end = given === undefined ? -1 : source.indexOf(">", open);
    if (given === undefined || end < 0) {
      yield { kind: "text", text: "<" };
      if (given !== undefined) return;
      at = open + 1;
      continue;
    }
    const name = html ? given.toLowerCase() : given;
    const attributes = source.slice(tag.lastIndex, end);
    yield { kind: slash === "" ? "open" : "close", name, attributes };
    if (!html && slash === "" && attributes.endsWith("/")) yield { kind: "close", name, attributes: "" };
    at = end + 1;
    if (html && slash === "" && unread.has(name)) at = afterElement(source, name, at);
  }
}

/** Comments, declarations and instructions; the characters of CDATA. */
function skipped(source: string, at: number): { readonly end: number; readonly text: string } | undefined {
  const after = (mark: string) => {
    const found = source.indexOf(mark, at);
    return found < 0 ? source.length : found + mark.length;
  };
  if (source.startsWith("<!--", at)) return { end: after("-->"), text: "" };
  if (source.startsWith("<![CDATA[", at)) {
    const end = after("]]>");
    return { end, text: source.slice(at + 9, Math.max(at + 9, end - 3)) };
  }
  return source.startsWith("<!", at) || source.startsWith("<?", at) ? { end: after(">"), text: "" } : undefined;
}

function afterElement(source: string, name: string, from: number): number {
  const closing = new RegExp(`</${name}`, "gi");
  closing.lastIndex = from;
  const found = closing.exec(source);
  return found?.index ?? source.length;
}

const entities: Readonly<Record<string, string>> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
  nbsp: " ",
  ndash: "–",
  mdash: "—",
  hellip: "…",
  laquo: "«",
  raquo: "»",
  lsquo: "‘",
  rsquo: "’",
  ldquo: "“",
  rdquo: "”",
  bull: "•",
  middot: "·",
  euro: "€",
  pound: "£",
  copy: "©",
  reg: "®",
  deg: "°",
  times: "×",
  auml: "ä",
  ouml: "ö",
  uuml: "ü",
  Auml: "Ä",
  Ouml: "Ö",
  Uuml: "Ü",
  szlig: "ß",
  eacute: "é",
  egrave: "è",
  agrave: "à",
  ccedil: "ç",
  ntilde: "ñ",
};

export function unescapeEntities(text: string): string {
  if (!text.includes("&")) return text;
  return text.replace(
    /&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|(\w{2,8}));/gi,
    (whole, decimal?: string, hex?: string, name = "") => {
      if (decimal !== undefined || hex !== undefined) {
        const code = decimal === undefined ? Number.parseInt(hex ?? "", 16) : Number(decimal);
        return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code).toWellFormed() : "";
      }
      return Object.hasOwn(entities, name) ? (entities[name] ?? whole) : whole;
    },
  );
}
