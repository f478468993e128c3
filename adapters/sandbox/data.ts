/** Files as values of a program: tables of CSV, with numbers as numbers where a whole column is of them. */
import Papa from "papaparse";
import { InputError } from "../../src/errors.ts";
import type { SandboxFile } from "../../src/sandbox.ts";
import { formatOf } from "./formats.ts";

export type Cell = string | number | null;
export type Datum =
  | { readonly name: string; readonly columns: readonly string[]; readonly cells: readonly (readonly Cell[])[] }
  | { readonly name: string; readonly value: unknown }
  | { readonly name: string; readonly text: string };

const mostRows = 100_000;
const mostColumns = 200;
const mostCells = 1_000_000;

/** @throws InputError that names the file and says what to do */
export function readData({ name, type, bytes }: SandboxFile): Datum {
  const text = decode(bytes, name);
  const format = formatOf({ name, type });
  if (format === "csv") return { name, ...tableOf(text, name) };
  if (format === "text") return { name, text };
  try {
    return { name, value: JSON.parse(text) as unknown };
  } catch {
    throw new InputError(`${name} is no valid JSON`);
  }
}

function tableOf(text: string, name: string): { columns: readonly string[]; cells: readonly (readonly Cell[])[] } {
  const parsed = Papa.parse<readonly string[]>(text, { skipEmptyLines: "greedy", preview: mostRows + 2 });
  if (parsed.errors.some(({ type }) => type === "Quotes"))
    throw new InputError(`${name} is no valid CSV: a quotation mark is not closed, or stands in the middle of a cell`);
  const [header, ...rows] = parsed.data;
  if (header === undefined) throw new InputError(`${name} is empty`);
  const columns = namesOf(header);
  if (rows.length > mostRows) throw new InputError(`${name} has more than ${mostRows} rows: send a part of it`);
  if (columns.length > mostColumns)
    throw new InputError(`${name} has more than ${mostColumns} columns: send those that matter`);
  if (rows.length * columns.length > mostCells)
    throw new InputError(`${name} has more than ${mostCells} cells: send the rows and columns that matter`);
  const wide = rows.findIndex((row) => row.slice(columns.length).some((cell) => cell.trim() !== ""));
  if (wide >= 0)
    throw new InputError(`row ${wide + 1} of ${name} has more cells than the header: put quotation marks around them`);
  const comma = decimalComma(rows, parsed.meta.delimiter);
  const numeric = columns.map((_, at) => isNumeric(rows, at, comma));
  const cellOf = (raw: string | undefined, at: number): Cell => {
    const cell = raw?.trim() ?? "";
    if (cell === "") return null;
    return numeric[at] === true ? numberOf(cell, comma) : cell;
  };
  return { columns, cells: rows.map((row) => columns.map((_, at) => cellOf(row[at], at))) };
}

/** Each column has a name of its own. */
function namesOf(header: readonly string[]): readonly string[] {
  const taken = new Set<string>();
  return header.map((raw, at) => {
    const wanted = raw.trim().slice(0, 200) || `column ${at + 1}`;
    let name = wanted;
    for (let n = 2; taken.has(name); n += 1) name = `${wanted} (${n})`;
    taken.add(name);
    return name;
  });
}

// Thousands in groups of three, or none at all. "007" is a name, and so is what has more digits than a number keeps.
const withPoint = /^[+-]?(?:0|[1-9]\d{0,14}|[1-9]\d{0,2}(?:,\d{3}){1,4})?(?:\.\d+)?(?:e[+-]?\d{1,3})?$/i;
const withComma = /^[+-]?(?:0|[1-9]\d{0,14}|[1-9]\d{0,2}(?:\.\d{3}){1,4})?(?:,\d+)?(?:e[+-]?\d{1,3})?$/i;
const isNumber = (cell: string, comma: boolean) => /\d/.test(cell) && (comma ? withComma : withPoint).test(cell);

/**
 * "1.234" is one thing in Bonn and another in Boston: a file as a whole is of one of both. Of the cells that are a number in one of
 * them alone the most decide, and where there are none, a file that has commas between its cells has none within them.
 */
function decimalComma(rows: readonly (readonly string[])[], delimiter: string): boolean {
  let votes = 0;
  for (const row of rows) {
    for (const raw of row) {
      const cell = raw.trim();
      if (!/[.,]/.test(cell)) continue;
      votes += Number(isNumber(cell, true)) - Number(isNumber(cell, false));
    }
  }
  return votes === 0 ? delimiter === ";" : votes > 0;
}

function isNumeric(rows: readonly (readonly string[])[], at: number, comma: boolean): boolean {
  const filled = rows.map((row) => row[at]?.trim() ?? "").filter((cell) => cell !== "");
  return filled.length > 0 && filled.every((cell) => isNumber(cell, comma));
}

function numberOf(cell: string, comma: boolean): number {
  return Number(comma ? cell.replaceAll(".", "").replace(",", ".") : cell.replaceAll(",", ""));
}

/** By its mark, else as UTF-8, else as Windows-1252, which spreadsheets still write. */
function decode(bytes: Uint8Array, name: string): string {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return new TextDecoder("utf-16le").decode(bytes);
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return new TextDecoder("utf-16be").decode(bytes);
  if (bytes.includes(0)) throw new InputError(`${name} is not the text that its name says: save it as CSV or JSON`);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder("windows-1252").decode(bytes);
  }
}
