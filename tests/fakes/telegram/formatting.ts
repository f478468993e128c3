import { detectEntities, overlaps, sortEntities } from "./entities.ts";
import { parseHtml } from "./html.ts";
import { parseMarkdownV2 } from "./markdown.ts";
import { array, isObject, text as textOf } from "./params.ts";
import { badRequest, type Entity, type Formatted, type Params } from "./types.ts";

export const MAX_TEXT = 4096;
export const MAX_CAPTION = 1024;

const ARGUMENT_TYPES = new Set(["text_link", "text_mention", "pre", "custom_emoji", "date_time"]);
const PLAIN_TYPES = new Set(
  "bold italic underline strikethrough spoiler blockquote expandable_blockquote code".split(" "),
);

/**
 * A text parameter after entities parsing, trimmed, with what Telegram detects by itself added ("Formatting options").
 * Lengths are checked by the caller: they count UTF-16 code units after parsing.
 */
export function formatted(params: Params, key: "text" | "caption"): Formatted {
  const source = textOf(params, key);
  const entities = array(params, key === "text" ? "entities" : "caption_entities");
  return trim(parse(source, textOf(params, "parse_mode").toLowerCase(), entities));
}

function parse(source: string, mode: string, entities: unknown[] | undefined): Formatted {
  if (mode === "html") return withDetected(parseHtml(source));
  if (mode === "markdownv2") return withDetected(parseMarkdownV2(source));
  if (mode === "markdown") throw badRequest("legacy Markdown is not spoken by this fake: use MarkdownV2 or HTML");
  if (mode !== "" && mode !== "none") throw badRequest("unsupported parse_mode");
  if (entities === undefined) return { text: source, entities: detectEntities(source) };
  return withDetected({ text: source, entities: entities.flatMap((entity) => checked(entity, source)) });
}

function checked(value: unknown, source: string): Entity[] {
  if (!isObject(value)) throw badRequest("can't parse MessageEntity: expected an object");
  const { type, offset, length } = value;
  if (typeof type !== "string" || !Number.isInteger(offset) || !Number.isInteger(length)) {
    throw badRequest('can\'t parse MessageEntity: Field "type", "offset" or "length" is missing or wrong');
  }
  if (!ARGUMENT_TYPES.has(type) && !PLAIN_TYPES.has(type)) return [];
  const entity = value as unknown as Entity;
  if (entity.offset < 0 || entity.length < 0 || entity.offset + entity.length > source.length) {
    throw badRequest("entity beginning or end is out of the text");
  }
  return entity.length === 0 ? [] : [{ ...entity }];
}

function withDetected({ text, entities }: Formatted): Formatted {
  const found = detectEntities(text).filter((entity) => !entities.some((other) => overlaps(entity, other)));
  return { text, entities: found.length === 0 ? entities : sortEntities([...entities, ...found]) };
}

function trim({ text, entities }: Formatted): Formatted {
  const kept = text.trim();
  if (kept.length === text.length) return { text, entities };
  const start = text.length - text.trimStart().length;
  const moved = entities.map((entity) => {
    const from = Math.max(0, entity.offset - start);
    const to = Math.min(kept.length, entity.offset + entity.length - start);
    return { ...entity, offset: from, length: to - from };
  });
  return { text: kept, entities: moved.filter((entity) => entity.length > 0) };
}
