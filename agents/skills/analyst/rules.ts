/** Requests as they are understood without a model: an operation, a column, and what it is grouped by. */
import type { Operation } from "./programs.ts";
import type { Language } from "./words.ts";

export type ChartKind = "bar" | "line" | "pie" | "scatter";

export interface Wish {
  readonly language: Language;
  readonly operation: Operation | undefined;
  readonly chart: ChartKind | undefined;
  /** As the request names them. */
  readonly column: string | undefined;
  readonly by: string | undefined;
}

const operations: readonly (readonly [Operation, Language, RegExp])[] = [
  ["sum", "en", /\b(?:sum|total)\b/iu],
  ["mean", "en", /\b(?:average|mean|avg)\b/iu],
  ["min", "en", /\b(?:min|minimum|lowest|smallest)\b/iu],
  ["max", "en", /\b(?:max|maximum|highest|largest)\b/iu],
  ["count", "en", /\b(?:count|number|how many)\b/iu],
  ["sum", "de", /\b(?:summe|gesamtsumme)\b/iu],
  ["mean", "de", /\b(?:durchschnitt|mittelwert)\b/iu],
  ["min", "de", /\b(?:kleinste[rns]?|niedrigste[rns]?)\b/iu],
  ["max", "de", /\b(?:größte[rns]?|höchste[rns]?)(?!\p{L})/iu],
  ["count", "de", /\b(?:anzahl|wie viele)\b/iu],
  ["sum", "es", /\bsuma\b/iu],
  ["mean", "es", /\b(?:promedio|media)\b/iu],
  ["min", "es", /\bmínimo\b/iu],
  ["max", "es", /\bmáximo\b/iu],
  ["count", "es", /\b(?:número|cuántos|cuántas)\b/iu],
];
const charts: readonly (readonly [Language, RegExp])[] = [
  ["de", /\b\p{L}*diagramm\b/iu],
  ["es", /\bgr[áa]fic[oa]\b/iu],
  ["en", /\b(?:chart|graph|plot)\b/iu],
];
const kinds: readonly (readonly [ChartKind, RegExp])[] = [
  ["pie", /\b(?:pie|kreis|torten|circular|pastel)/iu],
  ["line", /\b(?:line|linien|líneas|lineas)/iu],
  ["scatter", /\b(?:scatter|streu|punkt|dispersión|dispersion)/iu],
];
const languages: readonly (readonly [Language, RegExp])[] = [
  ["de", /\b(?:von|nach|der|die|das|und|je|pro|ist|bitte|wie|was)\b/iu],
  ["es", /\b(?:el|la|los|las|por|cuál|cuánto|es|qué)\b/iu],
];

/** "… of <column> by <group>", in the three languages; what stands before is the operation or the chart. */
const ofColumn = /(?:^|\s)(?:of|von|der|des|de|del)\s+(?:the\s+|la\s+|el\s+)?(.+)$/iu;
const byGroup = /(?:^|\s)(?:by|per|over|against|nach|je|pro|gegen|por|contra)\s+(.+)$/iu;
const end = /[\s.?!:;]+$/u;

export function wishIn(text: string): Wish {
  const line = text.trim().split("\n")[0]?.slice(0, 500).trim().replace(end, "") ?? "";
  const chartIn = charts.find(([, words]) => words.test(line));
  const split = byGroup.exec(line);
  const before = split === null ? line : line.slice(0, split.index);
  const operation = operations.find(([, , words]) => words.test(before));
  const language = operation?.[1] ?? chartIn?.[0] ?? languages.find(([, words]) => words.test(line))?.[0] ?? "en";
  return {
    language,
    operation: operation?.[0],
    chart: chartIn === undefined ? undefined : (kinds.find(([, words]) => words.test(line))?.[0] ?? "bar"),
    column: columnIn(before, operation?.[2]),
    by: split?.[1]?.trim(),
  };
}

function columnIn(before: string, operation: RegExp | undefined): string | undefined {
  const named = lastOf(before);
  // "sum revenue", "chart of average price": what follows the operation.
  const match = operation?.exec(named ?? before);
  const rest = match === null || match === undefined ? named : (named ?? before).slice(match.index + match[0].length);
  const column = rest === undefined ? undefined : (lastOf(` ${rest}`) ?? rest).trim();
  return column === "" || column === undefined ? undefined : column;
}

/** What stands behind the last "of": "gráfico de barras de ventas" is of "ventas". */
function lastOf(text: string): string | undefined {
  let found: string | undefined;
  for (let match = ofColumn.exec(text); match !== null; match = ofColumn.exec(found ?? "")) found = match[1];
  return found;
}

/** Names of rows, not of a column. */
export function isRows(name: string): boolean {
  return /^(?:(?:the|all|alle|las|todas las)\s+)*(?:rows?|lines?|entries|zeilen|einträge|filas|registros)$/iu.test(
    name,
  );
}

/** The column that a name means; undefined where none or several are as near. */
export function columnNamed(name: string, columns: readonly string[]): string | undefined {
  const wanted = plain(name);
  if (wanted === "") return undefined;
  const nearest = [
    (column: string) => column === wanted,
    (column: string) => column.startsWith(wanted) || wanted.startsWith(`${column} `),
    (column: string) => column.length > 2 && (column.includes(wanted) || wanted.includes(column)),
  ];
  for (const isNear of nearest) {
    const found = columns.filter((column) => isNear(plain(column)));
    if (found.length > 0) return found.length === 1 ? found[0] : undefined;
  }
  return undefined;
}

function plain(text: string): string {
  return text
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, " ")
    .trim();
}
