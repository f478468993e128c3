/**
 * Text with entities to markdown. Telegram sends the text plain and says which stretches of it are what; offsets count UTF-16
 * code units, as JavaScript's strings do.
 *
 * @see https://core.telegram.org/bots/api#messageentity
 */
import type { MessageEntity } from "grammy/types";

/** Entities that change how text looks; mentions, links as typed, hashtags and the like are text as it is. */
const formatting = new Set<string>([
  "bold",
  "italic",
  "strikethrough",
  "code",
  "pre",
  "text_link",
  "blockquote",
  "expandable_blockquote",
]);

export function textAndFormat(
  text: string,
  entities: readonly MessageEntity[] = [],
): { text: string; format: "plain" | "markdown" } {
  const shown = entities.filter(({ type, length }) => formatting.has(type) && length > 0);
  if (shown.length === 0) return { text, format: "plain" };
  const sorted = shown.toSorted((a, b) => a.offset - b.offset || b.length - a.length || rank(a) - rank(b));
  return { text: range(text, 0, text.length, sorted).trim(), format: "markdown" };
}

/** Of entities over the same stretch, the outermost: blocks, then links, then styles, then code. */
function rank({ type }: MessageEntity): number {
  return ["blockquote", "expandable_blockquote", "text_link", "bold", "italic", "strikethrough", "code", "pre"].indexOf(
    type,
  );
}

function range(text: string, from: number, to: number, entities: readonly MessageEntity[]): string {
  let out = "";
  let at = from;
  for (let index = 0; index < entities.length;) {
    const entity = entities[index];
    if (entity === undefined) break;
    const start = Math.max(entity.offset, at);
    const end = Math.min(entity.offset + entity.length, to);
    let next = index + 1;
    while (next < entities.length && (entities[next]?.offset ?? end) < end) next += 1;
    if (end > start) {
      out += escape(text.slice(at, start), lineBreak(out) === "");
      const inner = entities.slice(index + 1, next);
      out += wrapped(entity, text.slice(start, end), () => range(text, start, end, inner), out, text.slice(end));
      at = end;
    }
    index = next;
  }
  return out + escape(text.slice(at, to), lineBreak(out) === "");
}

function wrapped(entity: MessageEntity, plain: string, inner: () => string, before: string, after: string): string {
  switch (entity.type) {
    case "bold":
      return styled("**", inner());
    case "italic":
      return styled(/\w$/.test(before) || /^\w/.test(after) ? "*" : "_", inner());
    case "strikethrough":
      return styled("~~", inner());
    case "code":
      return inlineCode(plain);
    case "pre": {
      const fence = "`".repeat(Math.max(3, longestRun(plain) + 1));
      return `${lineBreak(before)}${fence}${entity.language ?? ""}\n${plain.replace(/\n$/, "")}\n${fence}${after === "" ? "" : "\n"}`;
    }
    case "text_link":
      return `[${inner()}](${/[\s()<>]/.test(entity.url) ? encodeURI(entity.url).replace(/[()]/g, percent) : entity.url})`;
    case "blockquote":
    case "expandable_blockquote":
      return `${lineBreak(before)}${inner().trim().replace(/^/gm, "> ")}${after === "" ? "" : "\n\n"}`.replace(
        /\n\n$/,
        after.startsWith("\n") ? "\n" : "\n\n",
      );
    default:
      return inner();
  }
}

const percent = (character: string): string => (character === "(" ? "%28" : "%29");
const lineBreak = (before: string): string => (before === "" || before.endsWith("\n") ? "" : "\n");

/** Markdown wants no white space inside its delimiters. */
function styled(delimiter: string, inner: string): string {
  const text = inner.trim();
  if (text === "") return inner;
  return inner.replace(text, () => delimiter + text + delimiter);
}

function inlineCode(plain: string): string {
  const ticks = "`".repeat(longestRun(plain) + 1);
  const pad = /^`|`$/.test(plain) ? " " : "";
  return `${ticks}${pad}${plain}${pad}${ticks}`;
}

function longestRun(text: string): number {
  return Math.max(0, ...[...text.matchAll(/`+/g)].map((run) => run[0].length));
}

/** @param atLineStart whether the text begins a line: only there a mark begins a block. */
function escape(plain: string, atLineStart: boolean): string {
  const inline = plain.replace(/[\\`*[\]<]|~~|(?<!\w)_|_(?!\w)/g, "\\$&");
  const lineStart = atLineStart ? "^" : "(?<=\n)";
  return inline
    .replace(new RegExp(`${lineStart}([ \\t]*)(#{1,6}\\s|>|[-+]\\s)`, "gm"), "$1\\$2")
    .replace(new RegExp(`${lineStart}([ \\t]*\\d{1,9})([.)]\\s)`, "gm"), "$1\\$2");
}
