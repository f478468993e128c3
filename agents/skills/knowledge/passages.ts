/** A document's text cut into passages: what stands together under one heading on one page, as far as it is not too long. */
import type { Passage } from "../../../src/knowledge.ts";

/** In characters: a passage that is full, the longest that is left whole, and what the next one repeats of the end of the last. */
const full = 1_200;
const longest = 1_800;
const overlap = 200;
const deepest = 6;
const longestSection = 300;

/** @param text marked: headings are lines of "# ", form feeds separate pages where it has any. */
export function passagesOf(text: string): Passage[] {
  const isPaged = text.includes("\f");
  const passages: Passage[] = [];
  const headings: string[] = [];
  for (const [at, page] of text.split("\f").entries()) {
    for (const { heading, lines } of sectionsOf(page)) {
      if (heading !== undefined) {
        headings.length = Math.min(heading.level - 1, deepest);
        headings[heading.level - 1] = heading.text;
      }
      const section = headings.filter((one) => one !== undefined && one !== "").join(" › ");
      for (const piece of piecesOf(lines))
        passages.push({
          text: piece,
          ...(section === "" ? {} : { section: section.slice(0, longestSection).toWellFormed() }),
          ...(isPaged ? { page: at + 1 } : {}),
        });
    }
  }
  return passages;
}

interface Section {
  readonly heading: { readonly level: number; readonly text: string } | undefined;
  readonly lines: string[];
}

function sectionsOf(page: string): Section[] {
  const sections: Section[] = [{ heading: undefined, lines: [] }];
  let inCode = false;
  for (const line of page.split("\n")) {
    if (/^\s*(?:```|~~~)/.test(line)) inCode = !inCode;
    const [, marks, text] = (inCode ? undefined : /^(#{1,6})\s+(.+?)\s*#*$/.exec(line)) ?? [];
    if (marks === undefined || text === undefined) sections.at(-1)?.lines.push(line);
    else sections.push({ heading: { level: marks.length, text: text.trim() }, lines: [] });
  }
  return sections;
}

/** Each as full as whole lines make it; the next one begins with the last sentences of the one before. */
function piecesOf(lines: readonly string[]): string[] {
  const pieces: string[] = [];
  let piece = "";
  /** How much of the piece stands in the one before, too. */
  let repeated = 0;
  const finish = (): void => {
    if (piece.slice(repeated).trim() === "") return;
    pieces.push(piece.trim());
    piece = endOf(piece.trim());
    repeated = piece.length;
  };
  for (const line of lines.flatMap(shortened)) {
    const isFull = piece.length - repeated > 0 && piece.length + line.length > full;
    if (isFull || (line.trim() === "" && piece.length > (full * 2) / 3)) finish();
    piece += piece === "" ? line : `\n${line}`;
  }
  finish();
  return pieces;
}

/** A line that is too long for one passage, at the ends of its sentences, else of its words, else anywhere. */
function shortened(line: string): string[] {
  const parts: string[] = [];
  let rest = line;
  while (rest.length > longest) {
    const head = rest.slice(0, full);
    const sentence = Math.max(head.lastIndexOf(". "), head.lastIndexOf("? "), head.lastIndexOf("! ")) + 1;
    const at = [sentence, head.lastIndexOf(" ")].find((one) => one > full / 2) ?? full;
    const isPair = /[\uD800-\uDBFF]/.test(rest.charAt(at - 1));
    parts.push(rest.slice(0, isPair ? at - 1 : at));
    rest = rest.slice(isPair ? at - 1 : at).trimStart();
  }
  return [...parts, rest];
}

/** Its last sentences or lines, as many as fit. */
function endOf(piece: string): string {
  const end = piece.slice(-overlap);
  const at = end.search(/(?<=[.!?]\s|\n)\S/);
  return at < 0 || piece.length <= overlap ? "" : end.slice(at);
}
