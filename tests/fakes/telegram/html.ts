import { sortEntities } from "./entities.ts";
import { badRequest, type Entity, type Formatted } from "./types.ts";

/** "HTML style" of "Formatting options"; the grammar and the messages are those of TDLib's parse_html. */
const TYPES: Readonly<Record<string, string>> = {
  a: "text_link",
  b: "bold",
  strong: "bold",
  i: "italic",
  em: "italic",
  s: "strikethrough",
  strike: "strikethrough",
  del: "strikethrough",
  u: "underline",
  ins: "underline",
  span: "spoiler",
  "tg-spoiler": "spoiler",
  "tg-emoji": "custom_emoji",
  "tg-time": "date_time",
  pre: "pre",
  code: "code",
  blockquote: "blockquote",
};

const NAMED: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"' };

interface Open {
  readonly tag: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly offset: number;
}

export function parseHtml(source: string): Formatted {
  if (!source.includes("<") && !source.includes("&")) return { text: source, entities: [] };
  const entities: Entity[] = [];
  const stack: Open[] = [];
  let out = "";
  let at = 0;
  while (at < source.length) {
    const next = source.slice(at).search(/[<&]/);
    if (next < 0) {
      out += source.slice(at);
      break;
    }
    out += source.slice(at, at + next);
    at += next;
    if (source[at] === "&") {
      const decoded = decode(source, at);
      out += decoded?.text ?? "&";
      at = decoded?.end ?? at + 1;
    } else if (source[at + 1] === "/") {
      at = closeTag(source, at, stack, out, entities);
    } else {
      const opened = openTag(source, at, out.length);
      stack.push(opened.open);
      at = opened.end;
    }
  }
  const left = stack.at(-1);
  if (left !== undefined) throw cannotParse(`Can't find end tag corresponding to start tag "${left.tag}"`);
  return { text: out, entities: sortEntities(entities.map(withoutCodeLanguage)) };
}

export function cannotParse(reason: string): Error {
  return badRequest(`can't parse entities: ${reason}`);
}

export function byteOffset(source: string, index: number): number {
  return Buffer.byteLength(source.slice(0, index));
}

function decode(source: string, at: number): { text: string; end: number } | undefined {
  const match = /^&(?:#x([0-9a-f]+)|#(\d+)|([a-z]+));?/i.exec(source.slice(at, at + 12));
  if (match === null) return undefined;
  const end = at + match[0].length;
  if (match[3] !== undefined) {
    const named = NAMED[match[3]];
    return named === undefined ? undefined : { text: named, end };
  }
  const code = match[1] === undefined ? Number(match[2]) : Number.parseInt(match[1], 16);
  return code === 0 || code >= 0x10ffff ? undefined : { text: String.fromCodePoint(code), end };
}

function openTag(source: string, begin: number, offset: number): { open: Open; end: number } {
  const where = () => `at byte offset ${byteOffset(source, begin)}`;
  const name = /^[^\s>]*/.exec(source.slice(begin + 1))?.[0] ?? "";
  let at = begin + 1 + name.length;
  if (at >= source.length) throw cannotParse(`Unclosed start tag ${where()}`);
  const tag = name.toLowerCase();
  if (!Object.hasOwn(TYPES, tag)) throw cannotParse(`Unsupported start tag "${tag}" ${where()}`);
  const attributes = new Map<string, string>();
  for (;;) {
    at += space(source, at);
    if (source[at] === ">") break;
    if (at >= source.length) throw cannotParse(`Unclosed start tag ${where()}`);
    const key = /^[^\s=>]*/.exec(source.slice(at))?.[0] ?? "";
    if (key === "") throw cannotParse(`Empty attribute name in the tag "${tag}" ${where()}`);
    at += key.length;
    at += space(source, at);
    if (source[at] !== "=") {
      if (tag !== "blockquote" || key !== "expandable") {
        throw cannotParse(`Expected equal sign in declaration of an attribute of the tag "${tag}" ${where()}`);
      }
      attributes.set(key, "");
      continue;
    }
    at += 1;
    at += space(source, at);
    const value = attributeValue(source, at);
    at = value.end;
    if (at >= source.length) throw cannotParse(`Unclosed start tag ${where()}`);
    attributes.set(key, value.text);
  }
  if (tag === "span" && attributes.get("class") !== "tg-spoiler") {
    throw cannotParse(`Tag "span" must have class "tg-spoiler" ${where()}`);
  }
  return { open: { tag, attributes, offset }, end: at + 1 };
}

function space(source: string, at: number): number {
  return /^\s*/.exec(source.slice(at))?.[0].length ?? 0;
}

function attributeValue(source: string, at: number): { text: string; end: number } {
  const quote = source[at];
  if (quote !== '"' && quote !== "'") {
    const token = /^[A-Za-z0-9.-]*/.exec(source.slice(at))?.[0] ?? "";
    const after = source[at + token.length];
    if (after !== undefined && after !== ">" && !/\s/.test(after)) {
      throw cannotParse(`Unexpected end of name token at byte offset ${byteOffset(source, at)}`);
    }
    return { text: token.toLowerCase(), end: at + token.length };
  }
  const close = source.indexOf(quote, at + 1);
  if (close < 0) return { text: "", end: source.length };
  const raw = source.slice(at + 1, close);
  const text = raw.replace(/&(?:#x?[0-9a-f]+|[a-z]+);?/gi, (entity) => decode(entity, 0)?.text ?? entity);
  return { text, end: close + 1 };
}

function closeTag(source: string, begin: number, stack: Open[], out: string, entities: Entity[]): number {
  const open = stack.at(-1);
  const where = byteOffset(source, begin);
  if (open === undefined) throw cannotParse(`Unexpected end tag at byte offset ${where}`);
  const name = /^[^\s>]*/.exec(source.slice(begin + 2))?.[0] ?? "";
  let at = begin + 2 + name.length;
  at += space(source, at);
  if (source[at] !== ">") throw cannotParse(`Unclosed end tag at byte offset ${where}`);
  const tag = name.toLowerCase();
  if (tag !== "" && tag !== open.tag) {
    throw cannotParse(`Unmatched end tag at byte offset ${where}, expected "</${open.tag}>", found "</${tag}>"`);
  }
  if (out.length > open.offset) {
    const entity = entityOf(open, out);
    if (entity !== undefined) addOrMerge(entities, entity);
  }
  stack.pop();
  return at + 1;
}

function entityOf(open: Open, out: string): Entity | undefined {
  const { tag, attributes, offset } = open;
  const base = { type: TYPES[tag] ?? tag, offset, length: out.length - offset };
  if (tag === "a") return linkEntity(base, attributes.get("href") || out.slice(offset));
  if (tag === "blockquote" && attributes.has("expandable")) return { ...base, type: "expandable_blockquote" };
  if (tag === "tg-time") return { ...base, unix_time: Number(attributes.get("unix")) };
  if (tag === "tg-emoji") {
    const id = attributes.get("emoji-id") ?? "";
    if (!/^[1-9]\d*$/.test(id)) throw cannotParse("Invalid custom emoji identifier specified");
    return { ...base, custom_emoji_id: id };
  }
  const language = tag === "code" ? /^language-(.+)$/.exec(attributes.get("class") ?? "")?.[1] : undefined;
  return language === undefined ? base : { ...base, language };
}

/** A link, a mention by `tg://user?id=`, or nothing where the target is no URL. */
export function linkEntity(base: Entity, url: string): Entity | undefined {
  const user = /^tg:\/\/user\?id=(\d+)$/i.exec(url)?.[1];
  if (user !== undefined) {
    return { ...base, type: "text_mention", user: { id: Number(user), is_bot: false, first_name: `User ${user}` } };
  }
  if (/^(?:https?|tg|ton|tonsite):\/\/\S+$/i.test(url)) return { ...base, type: "text_link", url };
  return /^[^\s/]+\.[^\s/.]{2,}(?:\/\S*)?$/.test(url)
    ? { ...base, type: "text_link", url: `http://${url}` }
    : undefined;
}

/** `<pre><code class="language-x">` is one "pre" with a language, in either order of nesting. */
function addOrMerge(entities: Entity[], entity: Entity): void {
  const last = entities.at(-1);
  const same = last !== undefined && last.offset === entity.offset && last.length === entity.length;
  if (same && last.type === "code" && entity.type === "pre" && last.language !== undefined) last.type = "pre";
  else if (same && last.type === "pre" && entity.type === "code" && entity.language !== undefined) {
    last.language = entity.language;
  } else entities.push(entity);
}

function withoutCodeLanguage(entity: Entity): Entity {
  if (entity.type === "code") delete entity.language;
  return entity;
}
