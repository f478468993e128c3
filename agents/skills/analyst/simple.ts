/** Answers without a model: one operation over a column, or plain arithmetic. Sums come from the sandbox too. */
import { z } from "zod";
import { chartSpec } from "../../../src/charts.ts";
import { InputError } from "../../../src/errors.ts";
import type { Sandbox, SandboxFile } from "../../../src/sandbox.ts";
import { arithmeticIn } from "../arithmetic.ts";
import { pairing, querying, type Query } from "./programs.ts";
import type { Made } from "./results.ts";
import { columnNamed, isRows, wishIn, type ChartKind, type Wish } from "./rules.ts";
import { wordsIn } from "./words.ts";

export interface SimpleAnswer {
  readonly text: string;
  readonly made: readonly Made[];
}

interface Table {
  readonly name: string;
  readonly columns: readonly string[];
  /** Those of numbers alone. */
  readonly numbers: readonly string[];
}

const most: Readonly<Record<ChartKind, number>> = { bar: 40, line: 200, pie: 12, scatter: 5_000 };
const mostColumnsTold = 30;

const tables = z.array(z.object({ name: z.string(), columns: z.array(z.string()), numbers: z.array(z.string()) }));
const listing = `
return Object.values(files).filter((file) => file.rows !== undefined).map(({ name, rows, columns }) => ({ name, columns,
  numbers: columns.filter((column) => {
    const filled = rows.map((row) => row[column]).filter((value) => value !== null && value !== undefined);
    return filled.length > 0 && filled.every((value) => typeof value === "number");
  }) }));
`;
const valueShape = z.object({ value: z.number().nullable() });
const groupsShape = z.object({ groups: z.array(z.tuple([z.string(), z.number().nullable()])) });
const pairsShape = z.array(z.tuple([z.number(), z.number()]));

/** @throws InputError in words for the person */
export async function answerSimply(
  text: string,
  files: readonly SandboxFile[],
  sandbox: Sandbox,
  locale: string | undefined,
  signal: AbortSignal,
): Promise<SimpleAnswer> {
  const wish = wishIn(text);
  const words = wordsIn[wish.language];
  const compute = async <Shape extends z.ZodType>(code: string, shape: Shape): Promise<z.infer<Shape>> => {
    const outcome = await sandbox.run({ code, files }, signal);
    if (outcome.kind === "failed") throw new InputError(outcome.problem);
    return shape.parse(outcome.value);
  };
  if (files.length === 0) {
    const found = arithmeticIn(text);
    if (found !== undefined) return { text: `${found.expression} = ${found.value}`, made: [] };
    const asksForData = wish.operation !== undefined || wish.chart !== undefined;
    return { text: asksForData ? words.noFile : words.help, made: [] };
  }
  const known = await compute(listing, tables);
  const told = known.map(({ name, columns }) => words.columns(name, namesOf(columns))).join("\n");
  if (wish.operation === undefined && wish.chart === undefined) return { text: `${words.help}\n\n${told}`, made: [] };
  const asked = wish.column !== undefined && isRows(wish.column) ? undefined : wish.column;
  const table =
    known.find(({ columns }) => asked === undefined || columnNamed(asked, columns) !== undefined) ?? known[0];
  if (table === undefined) return { text: words.noFile, made: [] };
  const found = (name: string): string => {
    const column = columnNamed(name, table.columns);
    if (column === undefined)
      throw new InputError(words.unknown(name.slice(0, 80), table.name, namesOf(table.columns)));
    return column;
  };
  const column = asked === undefined ? undefined : found(asked);
  const by = wish.by === undefined ? undefined : found(wish.by);
  if (wish.chart === "scatter") return scatter(wish, table, column, by, compute);
  return summary(wish, table, column, by, locale ?? wish.language, compute);
}

type Compute = <Shape extends z.ZodType>(code: string, shape: Shape) => Promise<z.infer<Shape>>;

async function scatter(
  wish: Wish,
  table: Table,
  y: string | undefined,
  x: string | undefined,
  compute: Compute,
): Promise<SimpleAnswer> {
  const words = wordsIn[wish.language];
  if (x === undefined || y === undefined)
    return { text: `${words.help}\n\n${words.columns(table.name, namesOf(table.columns))}`, made: [] };
  numbersOf(table, [x, y], wish);
  const points = await compute(pairing(table.name, x, y), pairsShape);
  const title = `${y} ${words.by} ${x}`;
  if (points.length > most.scatter) return { text: words.tooMany(points.length), made: [] };
  const chart = chartSpec.parse({ kind: "scatter", ...axesOf(title, x, y), series: [{ points }] });
  return { text: "", made: [{ kind: "chart", title, chart }] };
}

async function summary(
  wish: Wish,
  table: Table,
  column: string | undefined,
  by: string | undefined,
  locale: string,
  compute: Compute,
): Promise<SimpleAnswer> {
  const words = wordsIn[wish.language];
  const operation = wish.operation ?? (column === undefined ? "count" : "sum");
  if (column === undefined && operation !== "count")
    return { text: `${words.help}\n\n${words.columns(table.name, namesOf(table.columns))}`, made: [] };
  if (column !== undefined && operation !== "count") numbersOf(table, [column], wish);
  const query: Query = {
    file: table.name,
    operation,
    ...(column === undefined ? {} : { column }),
    ...(by === undefined ? {} : { by }),
  };
  const named = `${words.operation[operation]} ${words.of} ${column ?? words.rows}`;
  if (by === undefined) {
    const { value } = await compute(querying(query, "file"), valueShape);
    return { text: `${named}: ${format(value, locale)}`, made: [] };
  }
  const title = `${named} ${words.by} ${by}`;
  const { groups } = await compute(querying(query, wish.chart === "line" ? "file" : "largest"), groupsShape);
  const asTable: Made = { kind: "table", title, columns: [by, named], rows: groups };
  if (wish.chart === undefined) return { text: "", made: [asTable] };
  const values = groups.map(([, value]) => value);
  const fits =
    groups.length <= most[wish.chart] &&
    (wish.chart !== "pie" || values.every((value) => value !== null && value >= 0));
  if (!fits) return { text: words.tooMany(groups.length), made: [asTable] };
  const labels = groups.map(([name]) => name);
  const chart = chartSpec.safeParse(
    wish.chart === "pie"
      ? { kind: "pie", title: title.slice(0, 120), labels, values }
      : { kind: wish.chart, ...axesOf(title, by, named), labels, series: [{ values }] },
  );
  return { text: "", made: [chart.success ? { kind: "chart", title, chart: chart.data } : asTable] };
}

/** As long as a chart takes them. */
function axesOf(title: string, x: string, y: string) {
  return { title: title.slice(0, 120), x: x.slice(0, 60), y: y.slice(0, 60) };
}

function numbersOf({ numbers }: Table, columns: readonly string[], { language }: Wish): void {
  const other = columns.find((column) => !numbers.includes(column));
  if (other !== undefined) throw new InputError(wordsIn[language].noNumbers(other));
}

function format(value: number | null, locale: string): string {
  return value === null ? "–" : new Intl.NumberFormat(locale, { maximumFractionDigits: 6 }).format(value);
}

function namesOf(columns: readonly string[]): string {
  const shown = columns.slice(0, mostColumnsTold).map((column) => column.slice(0, 60));
  return `${shown.join(", ")}${columns.length > shown.length ? ", …" : ""}`;
}
