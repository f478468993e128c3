/** What a scenario finds, and how it is shown. */

export interface Figure {
  readonly name: string;
  readonly measured: number;
  readonly unit: string;
  /** Absent: shown for information. */
  readonly bound?: { readonly most: number } | { readonly least: number };
  /** What the figure is made of, in a few words. */
  readonly detail?: string;
}

export type Verdict = "met" | "not met" | "";

export function verdictOf({ measured, bound }: Figure): Verdict {
  if (bound === undefined) return "";
  return ("most" in bound ? measured <= bound.most : measured >= bound.least) ? "met" : "not met";
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** Between the two nearest values. NaN of nothing. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (sorted.length - 1) * share;
  const low = sorted[Math.floor(at)] ?? Number.NaN;
  const high = sorted[Math.ceil(at)] ?? Number.NaN;
  return low + (high - low) * (at - Math.floor(at));
}

export function shown(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (Math.abs(value) >= 1_000) return value.toFixed(0);
  if (Math.abs(value) >= 100) return value.toFixed(1);
  return value.toFixed(Math.abs(value) >= 10 ? 2 : 3);
}

export function table(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => [
    figure.name,
    [shown(figure.measured), figure.unit].filter(Boolean).join(" "),
    boundOf(figure),
    verdictOf(figure),
    figure.detail ?? "",
  ]);
  const head = ["figure", "measured", "bound", "", ""];
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  return [head, ...rows]
    .map((row) =>
      row
        .map((cell, column) => (column === 4 ? cell : cell.padEnd(widths[column] ?? 0)))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

function boundOf({ bound, unit }: Figure): string {
  if (bound === undefined) return "";
  const text = "most" in bound ? `<= ${bound.most}` : `>= ${bound.least}`;
  return [text, unit].filter(Boolean).join(" ");
}
