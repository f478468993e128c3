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
  /** The level of the heading that an opening element makes of its line. */
  readonly heading?: (piece: { readonly name: string; readonly attributes: string }) => number | undefined;
}

const word: Words = { in: "w:t", ends: new Set(["w:p"]), spaces: { "w:tab": "\t", "w:br": "\n", "w:cr": "\n" } };
const slide: Words = { in: "a:t", ends: new Set(["a:p"]), spaces: { "a:br": "\n" } };
const openText: Words = {
  in: undefined,
  ends: new Set(["text:p", "text:h"]),
  spaces: { "text:tab": "\t", "text:line-break": "\n", "text:s": " " },
};

/** @param marked headings are lines of "# ". */
export function docxText(archive: Archive, maxChars: number, marked: boolean): string {
  const words = marked ? { ...word, heading: wordHeading } : word;
  return wordsOf(archive.read("word/document.xml").toString("utf8"), words, maxChars);
}

/** @param marked headings are lines of "# ". */
export function odtText(archive: Archive, maxChars: number, marked: boolean): string {
  const content = archive.read("content.xml").toString("utf8");
  const body = content.indexOf("<office:body");
  const words = marked ? { ...openText, heading: openHeading } : openText;
  return wordsOf(content.slice(Math.max(body, 0)), words, maxChars);
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

/** The style's id is the English name, or what Word makes of that of another language: "berschrift1", "Titre1". */
function wordHeading({ name, attributes }: { name: string; attributes: string }): number | undefined {
  if (name !== "w:pStyle") return undefined;
  const level = /w:val="(?:heading|berschrift|titre|ttulo|titolo|kop|rubrik|overskrift)\s?([1-6])"/i.exec(
    attributes,
  )?.[1];
  return level === undefined ? undefined : Number(level);
}

function openHeading({ name, attributes }: { name: string; attributes: string }): number | undefined {
  if (name !== "text:h") return undefined;
  return Number(/text:outline-level="([1-6])"/.exec(attributes)?.[1] ?? 1);
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

function wordsOf(xml: string, { in: inside, ends, spaces, heading }: Words, maxChars: number): string {
  let text = "";
  let reading = inside === undefined;
  for (const piece of piecesOf(xml)) {
    if (piece.kind === "text") text += reading ? piece.text : "";
    else if (piece.name === inside) reading = piece.kind === "open";
    else if (piece.kind === "close" && ends.has(piece.name)) text += "\n";
    else if (piece.kind === "open" && Object.hasOwn(spaces, piece.name)) text += spaces[piece.name] ?? "";
    const level = piece.kind === "open" ? heading?.(piece) : undefined;
    if (level !== undefined) text += `${"#".repeat(level)} `;
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
