/** Texts as PostgreSQL's full-text search gets them: words alone, so that its parser has nothing to make of addresses and hyphens. */
import { wordsIn } from "../terms.ts";

/** Longer than any word that is looked for. */
const longest = 200;

/** Without accents, as SQLite's tokenizer has them. */
export function plainWords(text: string): string {
  const plain = text
    .toLowerCase()
    .normalize("NFD")
    .replace(/[\u0300-\u036f]/g, "");
  return wordsIn(plain)
    .map((word) => word.slice(0, longest).toWellFormed())
    .join(" ");
}

/** What PostgreSQL takes for a text: it knows no character 0. */
export const storable = (text: string): string => text.replaceAll("\0", "\ufffd").toWellFormed();
