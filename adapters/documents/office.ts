/** Office documents, which are XML in a zip archive: their words, without their looks. */
import { InputError } from "../../src/errors.ts";
import { piecesOf } from "./markup.ts";
import type { Archive } from "./zip.ts";

/** Which elements hold words, and which end a line or stand for white space. */
interface Words {
  /** Undefined: all text counts. */
  readonly in: string | undefined;
  readonly ends: ReadonlySet<string>;
  readonly spaces: Readonly<Record<string, string>>;
}

const word: Words = { in: "w:t", ends: new Set(["w:p"]), spaces: { "w:tab": "\t", "w:br": "\n", "w:cr": "\n" } };
const slide: Words = { in: "a:t", ends: new Set(["a:p"]), spaces: { "a:br": "\n" } };
const openText: Words = {
  in: undefined,
  ends: new Set(["text:p", "text:h"]),
  spaces: { "text:tab": "\t", "text:line-break": "\n", "text:s": " " },
};

export function docxText(archive: Archive, maxChars: number): string {
  return wordsOf(archive.read("word/document.xml").toString("utf8"), word, maxChars);
}

export function odtText(archive: Archive, maxChars: number): string {
  const content = archive.read("content.xml").toString("utf8");
  const body = content.indexOf("<office:body");
  return wordsOf(content.slice(Math.max(body, 0)), openText, maxChars);
}

export function pptxText(archive: Archive, maxChars: number): { readonly text: string; readonly pages: number } {
  const slides = numbered(archive, /^ppt\/slides\/slide(\d+)\.xml$/);
  let text = "";
  for (const [at, name] of slides.entries()) {
    if (text.length > maxChars) break;
    text += `Slide ${at + 1}\n${wordsOf(archive.read(name).toString("utf8"), slide, maxChars)}\n\n`;
  }
  return { text, pages: slides.length };
}

/** A line of tabs and values per row. Formulas are the values they had when it was saved. */
export function xlsxText(archive: Archive, maxChars: number): string {
  const shared = archive.has("xl/sharedStrings.xml") ? sharedStrings(archive) : [];
  let text = "";
  for (const [at, name] of numbered(archive, /^xl\/worksheets\/sheet(\d+)\.xml$/).entries()) {
    if (text.length > maxChars) break;
    text += `Sheet ${at + 1}\n${sheetText(archive.read(name).toString("utf8"), shared, maxChars)}\n\n`;
  }
  return text;
}

/** In the order of their numbers. @throws InputError where there is none. */
function numbered(archive: Archive, pattern: RegExp): readonly string[] {
  const found = archive.names.flatMap((name) => {
    const number = pattern.exec(name)?.[1];
    return number === undefined ? [] : [{ name, number: Number(number) }];
  });
  if (found.length === 0) throw new InputError("it is damaged, or not what its type says");
  return found.toSorted((a, b) => a.number - b.number).map(({ name }) => name);
}

function wordsOf(xml: string, { in: inside, ends, spaces }: Words, maxChars: number): string {
  let text = "";
  let reading = inside === undefined;
  for (const piece of piecesOf(xml)) {
    if (piece.kind === "text") text += reading ? piece.text : "";
    else if (piece.name === inside) reading = piece.kind === "open";
    else if (piece.kind === "close" && ends.has(piece.name)) text += "\n";
    else if (piece.kind === "open" && Object.hasOwn(spaces, piece.name)) text += spaces[piece.name] ?? "";
    if (text.length > maxChars) break;
  }
  return text;
}

function sharedStrings(archive: Archive): readonly string[] {
  const strings: string[] = [];
  let text = "";
  let reading = false;
  for (const piece of piecesOf(archive.read("xl/sharedStrings.xml").toString("utf8"))) {
    if (piece.kind === "text") text += reading ? piece.text : "";
    else if (piece.name === "t") reading = piece.kind === "open";
    else if (piece.name === "si" && piece.kind === "open") text = "";
    else if (piece.name === "si") strings.push(text);
  }
  return strings;
}

function sheetText(xml: string, shared: readonly string[], maxChars: number): string {
  let text = "";
  let type = "";
  let column = 0;
  let reading = false;
  for (const piece of piecesOf(xml)) {
    if (piece.kind === "text") {
      if (reading) text += type === "s" ? (shared[Number(piece.text)] ?? "") : piece.text;
    } else if (piece.name === "v" || piece.name === "t") reading = piece.kind === "open";
    else if (piece.name === "row" && piece.kind === "close") {
      text = `${text.trimEnd()}\n`;
      column = 0;
    } else if (piece.name === "c" && piece.kind === "open") {
      type = /\bt="(\w+)"/.exec(piece.attributes)?.[1] ?? "";
      const at = columnOf(/\br="([A-Z]{1,3})/.exec(piece.attributes)?.[1]) ?? column + 1;
      text += "\t".repeat(Math.min(Math.max(at - Math.max(column, 1), 0), 50));
      column = at;
    }
    if (text.length > maxChars) break;
  }
  return text;
}

/** "A" is 1, "AA" is 27. */
function columnOf(letters: string | undefined): number | undefined {
  return letters?.split("").reduce((sum, letter) => sum * 26 + letter.charCodeAt(0) - 64, 0);
}
