import type { Entity } from "./types.ts";

const CANDIDATE = /[/@#$.:]/;
const PATTERNS: readonly (readonly [type: string, pattern: RegExp])[] = [
  [
    "url",
    /(?<![\w@])(?:https?:\/\/[^\s<>"]*[^\s<>".,:;!?')\]]|(?:[a-z0-9-]+\.)+(?:com|org|net|io|dev|me|ai)\b(?:\/[^\s<>"]*)?)/gi,
  ],
  ["email", /(?<![\w.])[\w.+-]+@[\w-]+(?:\.[\w-]+)+/g],
  ["bot_command", /(?<![\w/@#])\/[A-Za-z0-9_]{1,64}(?:@[A-Za-z0-9_]{3,32})?(?![\w/])/g],
  ["mention", /(?<![\w/])@[A-Za-z][A-Za-z0-9_]{2,31}\b/g],
  ["hashtag", /(?<![\w#&])#(?=\w*[^\W\d])\w{1,256}/gu],
  ["cashtag", /(?<![\w$])\$[A-Z]{1,8}(?!\w)/g],
  ["phone_number", /(?<![\w+])\+\d[\d -]{6,16}\d(?!\d)/g],
];

/** What a Telegram client marks by itself in a plain text: links, commands, mentions, tags ("MessageEntity"). */
export function detectEntities(text: string): Entity[] {
  if (!CANDIDATE.test(text) && !text.includes("+")) return [];
  const found: Entity[] = [];
  for (const [type, pattern] of PATTERNS) {
    for (const match of text.matchAll(pattern)) {
      const entity = { type, offset: match.index, length: match[0].length };
      if (!found.some((other) => overlaps(other, entity))) found.push(entity);
    }
  }
  return found.sort((a, b) => a.offset - b.offset);
}

export function overlaps(a: Entity, b: Entity): boolean {
  return a.offset < b.offset + b.length && b.offset < a.offset + a.length;
}

/** The order Telegram returns: by offset, the longer first. */
export function sortEntities(entities: Entity[]): Entity[] {
  return entities.sort((a, b) => a.offset - b.offset || b.length - a.length);
}
