/** What runs in the sandbox besides the model's programs. */

/** `table` and `chart`, for the model's programs and for ours. */
export const setup = `
globalThis.table = (title, rows) => emit({ is: "table", title, rows });
globalThis.chart = (chart) => emit({ is: "chart", chart });
`;

/** Returns what a model has to know of the files before it writes a program for them. */
export const describing = `
const short = (value) => {
  const text = typeof value === "string" ? value : JSON.stringify(value) ?? String(value);
  return text.length > 60 ? text.slice(0, 60) + "…" : text;
};
const about = (rows, columns) => columns.slice(0, 60).map((column) => {
  const filled = rows.map((row) => row[column]).filter((value) => value !== null && value !== undefined);
  const empty = rows.length - filled.length;
  const told = { column: short(column), ...(empty === 0 ? {} : { empty }) };
  if (filled.length > 0 && filled.every((value) => typeof value === "number"))
    return { ...told, type: "number", min: filled.reduce((a, b) => Math.min(a, b)), max: filled.reduce((a, b) => Math.max(a, b)) };
  const values = new Set();
  for (const value of filled) if (values.size <= 1000) values.add(short(value));
  return { ...told, type: typeof filled[0], different: values.size > 1000 ? "over 1000" : values.size, such: [...values].slice(0, 4) };
});
return Object.values(files).map((file) => {
  if (file.rows !== undefined)
    return { name: file.name, rows: file.rows.length, columns: file.columns.length, about: about(file.rows, file.columns) };
  if (file.text !== undefined) return { name: file.name, characters: file.text.length, begins: short(file.text) };
  const { value } = file;
  const parts = typeof value === "object" && value !== null ? Object.entries(value).slice(0, 30) : [];
  return { name: file.name, value: Array.isArray(value) ? "a list of " + value.length : typeof value,
    parts: Object.fromEntries(parts.map(([key, part]) => [short(key), short(part)])) };
});
`;

export type Operation = "sum" | "mean" | "min" | "max" | "count";

export interface Query {
  readonly file: string;
  readonly operation: Operation;
  /** Absent: rows are counted. */
  readonly column?: string;
  readonly by?: string;
}

/** Returns the value, or the groups as `[name, value]`: the largest first, or in the file's order. */
export function querying(query: Query, order: "largest" | "file"): string {
  return `
const { file, operation, column, by } = ${JSON.stringify(query)};
const compute = (rows) => {
  const values = column === undefined ? rows : rows.map((row) => row[column]).filter((value) => value !== null && value !== undefined);
  if (operation === "count") return values.length;
  const numbers = values.filter((value) => typeof value === "number");
  if (numbers.length === 0) return null;
  if (operation === "min") return numbers.reduce((a, b) => Math.min(a, b));
  if (operation === "max") return numbers.reduce((a, b) => Math.max(a, b));
  const sum = numbers.reduce((a, b) => a + b, 0);
  return Number((operation === "sum" ? sum : sum / numbers.length).toPrecision(12));
};
const { rows } = files[file];
if (by === undefined) return { value: compute(rows) };
const groups = new Map();
for (const row of rows) {
  const key = row[by] === null || row[by] === undefined ? "–" : typeof row[by] === "object" ? JSON.stringify(row[by]) : String(row[by]);
  if (!groups.has(key)) groups.set(key, []);
  groups.get(key).push(row);
}
const made = [...groups].map(([name, of]) => [name.slice(0, 80), compute(of)]);
if (${JSON.stringify(order)} === "largest") made.sort((a, b) => (b[1] ?? -Infinity) - (a[1] ?? -Infinity));
return { groups: made };
`;
}

/** Returns pairs of numbers. */
export function pairing(file: string, x: string, y: string): string {
  return `
const { file, x, y } = ${JSON.stringify({ file, x, y })};
return files[file].rows.map((row) => [row[x], row[y]]).filter(([a, b]) => typeof a === "number" && typeof b === "number");
`;
}
