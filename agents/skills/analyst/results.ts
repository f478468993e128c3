/** What a program made, as parts of an answer: tables in text, long ones as CSV files, charts as pictures. */
import { z } from "zod";
import { altTextOf, chartSpec, type Chart, type Charts } from "../../../src/charts.ts";
import { InputError } from "../../../src/errors.ts";
import type { Blobs } from "../../../src/ports.ts";
import type { TaskPart } from "../../../src/skilled.ts";

const cell = z.unknown();
const tableShape = z.object({
  is: z.literal("table"),
  title: z.coerce.string().transform((title) => title.trim().slice(0, 120)),
  rows: z.array(z.union([z.array(cell), z.record(z.string(), cell)])).max(100_000),
});
const chartShape = z.object({ is: z.literal("chart"), chart: chartSpec });

export type Made =
  | {
      readonly kind: "table";
      readonly title: string;
      readonly columns: readonly string[];
      readonly rows: readonly (readonly unknown[])[];
    }
  | { readonly kind: "chart"; readonly title: string; readonly chart: Chart };

const mostColumns = 50;
const mostInText = { rows: 20, columns: 8, cell: 60 } as const;
const mostBytes = 4_000_000;

/** @returns its problem, in words for whoever wrote the program, where it is neither a table nor a chart. */
export function madeOf(emitted: unknown): Made | { readonly problem: string } {
  const is = (emitted as { is?: unknown } | null)?.is;
  const read = is === "chart" ? chartShape.safeParse(emitted) : tableShape.safeParse(emitted);
  if (!read.success) {
    const told = read.error.issues
      .slice(0, 3)
      .map(({ path, message }) => `${path.slice(1).join(".") || "it"}: ${message}`);
    return { problem: `this is no ${is === "chart" ? "chart" : "table"}: ${told.join("; ").slice(0, 500)}` };
  }
  const { data } = read;
  if (data.is === "chart") return { kind: "chart", title: data.chart.title, chart: data.chart };
  return tableOf(data);
}

function tableOf({ title, rows }: z.infer<typeof tableShape>): Made {
  const [first] = rows;
  if (Array.isArray(first)) {
    const lists = rows.filter((row) => Array.isArray(row));
    return { kind: "table", title, columns: first.slice(0, mostColumns).map(textOf), rows: lists.slice(1) };
  }
  const columns = new Set<string>();
  for (const row of rows) for (const column of Object.keys(row)) if (columns.size < mostColumns) columns.add(column);
  const named = [...columns];
  const cells = rows.map((row) => {
    const values = new Map(Object.entries(row));
    return named.map((column) => values.get(column));
  });
  return { kind: "table", title, columns: named, rows: cells };
}

export interface Presenting {
  readonly charts: Charts;
  /** Of the caller's tenant. */
  readonly blobs: Blobs;
  readonly locale: string;
  readonly signal: AbortSignal;
}

/** @param text what is said beside them */
export async function partsOf(text: string, made: readonly Made[], to: Presenting): Promise<readonly TaskPart[]> {
  const said = [text];
  const files: TaskPart[] = [];
  for (const [at, one] of made.entries()) {
    const stem = stemOf(one.title, `${one.kind}-${at + 1}`);
    if (one.kind === "chart") {
      const png = await drawn(one.chart, to);
      if (png !== undefined) files.push(await keep(png, `${stem}.png`, "image/png", to.blobs));
      said.push(altTextOf(one.chart, to.locale));
      continue;
    }
    const isShort = one.rows.length <= mostInText.rows && one.columns.length <= mostInText.columns;
    said.push(markdownOf(one, to.locale));
    if (!isShort)
      files.push(await keep(new TextEncoder().encode(await csvOf(one)), `${stem}.csv`, "text/csv", to.blobs));
  }
  return [{ kind: "text", text: said.filter((part) => part !== "").join("\n\n") }, ...files];
}

/** An answer is not given up for a picture: what it would show is in the text. */
async function drawn(chart: Chart, { charts, locale, signal }: Presenting): Promise<Uint8Array | undefined> {
  try {
    return await charts.draw(chart, locale, signal);
  } catch (error) {
    if (error instanceof InputError) return undefined;
    throw error;
  }
}

function markdownOf({ title, columns, rows }: Extract<Made, { kind: "table" }>, locale: string): string {
  const format = new Intl.NumberFormat(locale, { maximumFractionDigits: 4 });
  const shown = columns.slice(0, mostInText.columns);
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const cellOf = (value: unknown) => escaped(typeof value === "number" ? format.format(value) : textOf(value));
  const isNumber = shown.map((_, at) => rows.length > 0 && rows.every((row) => typeof (row[at] ?? 0) === "number"));
  return [
    ...(title === "" ? [] : [`**${escaped(title)}**`, ""]),
    line(shown.map(escaped)),
    line(shown.map((_, at) => (isNumber[at] === true ? "---:" : "---"))),
    ...rows.slice(0, mostInText.rows).map((row) => line(shown.map((_, at) => cellOf(row[at])))),
    ...(rows.length > mostInText.rows || columns.length > shown.length
      ? ["", `${Math.min(rows.length, mostInText.rows)} / ${rows.length} × ${shown.length} / ${columns.length} → CSV`]
      : []),
  ].join("\n");
}

/** Cells that a spreadsheet would run as formulas are marked as text. */
async function csvOf({ columns, rows }: Extract<Made, { kind: "table" }>): Promise<string> {
  const { default: Papa } = await import("papaparse");
  const data = rows.map((row) => columns.map((_, at) => (typeof row[at] === "number" ? row[at] : textOf(row[at]))));
  return Papa.unparse({ fields: [...columns], data }, { escapeFormulae: true });
}

function textOf(value: unknown): string {
  if (value === null || value === undefined) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value as string | number | boolean);
}

function escaped(text: string): string {
  const line = text.replace(/\s+/g, " ").trim();
  const short = line.length <= mostInText.cell ? line : `${line.slice(0, mostInText.cell - 1).toWellFormed()}…`;
  return short.replace(/[\\|*_`[\]<>]/g, String.raw`\$&`);
}

function stemOf(title: string, otherwise: string): string {
  return (
    title
      .replace(/[^\p{L}\p{N}]+/gu, "-")
      .replace(/^-+|-+$/g, "")
      .slice(0, 50) || otherwise
  );
}

async function keep(bytes: Uint8Array, name: string, type: string, blobs: Blobs): Promise<TaskPart> {
  const body = new Blob([new Uint8Array(bytes)]).stream();
  const { id, size } = await blobs.put(body, { type, name, maxBytes: mostBytes });
  return { kind: "file", name, type, blob: id, size };
}
