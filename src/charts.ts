/** Charts as data, and what draws them. */
import { z } from "zod";

const longest = { title: 120, label: 80, axis: 60 } as const;
const mostLabels = 200;
const mostSeries = 8;
const mostSlices = 12;
const mostPoints = 5_000;

const title = z.string().trim().min(1).max(longest.title);
const axis = z.string().trim().max(longest.axis).default("");
const name = z.string().trim().max(longest.axis).default("");
const label = z.coerce.string().transform((text) => text.slice(0, longest.label));
const labels = z.array(label).min(1).max(mostLabels);
/** Null: there is none. */
const value = z.number().nullable();
const series = z
  .array(z.object({ name, values: z.array(value).max(mostLabels) }))
  .min(1)
  .max(mostSeries);

export const chartSpec = z
  .discriminatedUnion("kind", [
    z.object({ kind: z.enum(["bar", "line"]), title, x: axis, y: axis, labels, series }),
    z.object({
      kind: z.literal("pie"),
      title,
      labels: z.array(label).min(1).max(mostSlices),
      values: z.array(z.number().nonnegative()).max(mostSlices),
    }),
    z.object({
      kind: z.literal("scatter"),
      title,
      x: axis,
      y: axis,
      series: z
        .array(z.object({ name, points: z.array(z.tuple([z.number(), z.number()])).max(mostPoints) }))
        .min(1)
        .max(mostSeries),
    }),
  ])
  .superRefine((chart, issues) => {
    const wanted = chart.kind === "scatter" ? undefined : chart.labels.length;
    const lists =
      chart.kind === "pie" ? [chart.values] : chart.kind === "scatter" ? [] : chart.series.map((of) => of.values);
    if (lists.some((values) => values.length !== wanted))
      issues.addIssue({ code: "custom", message: "there must be as many values as labels" });
    if (chart.kind === "pie" && chart.values.every((part) => part === 0))
      issues.addIssue({ code: "custom", message: "a pie needs a value above 0" });
    if (chart.kind === "scatter" && chart.series.every(({ points }) => points.length === 0))
      issues.addIssue({ code: "custom", message: "there are no points" });
  });
export type Chart = z.infer<typeof chartSpec>;

export interface Charts {
  /**
   * Bounded in time and memory by itself.
   * @param locale how numbers are written: BCP 47.
   * @returns a PNG of 1200 by 750 pixels.
   * @throws InputError where it cannot be drawn; an abort rejects with the signal's reason.
   */
  draw(chart: Chart, locale: string, signal?: AbortSignal): Promise<Uint8Array>;
}

/** What the chart shows, for who does not see it. */
export function altTextOf(chart: Chart, locale: string): string {
  const format = new Intl.NumberFormat(locale, { maximumFractionDigits: 2 });
  const named = (at: string, of: number) => `${at} ${format.format(of)}`;
  if (chart.kind === "scatter") {
    const count = chart.series.reduce((sum, { points }) => sum + points.length, 0);
    return `${chart.title} (scatter: ${format.format(count)})`;
  }
  if (chart.kind === "pie") {
    return `${chart.title} (pie): ${chart.labels.map((at, i) => named(at, chart.values[i] ?? 0)).join(", ")}`;
  }
  const told = chart.series.map(({ name: of, values }) => {
    const known = chart.labels.flatMap((at, i) =>
      values[i] === null || values[i] === undefined ? [] : [{ at, of: values[i] }],
    );
    const few = known.length <= 6 ? known : [];
    const least = known.toSorted((a, b) => a.of - b.of)[0];
    const most = known.toSorted((a, b) => b.of - a.of)[0];
    const ends =
      least === undefined || most === undefined ? "–" : `${named(least.at, least.of)} … ${named(most.at, most.of)}`;
    const text = few.length > 0 ? few.map((one) => named(one.at, one.of)).join(", ") : ends;
    return of === "" ? text : `${of}: ${text}`;
  });
  return `${chart.title} (${chart.kind}): ${told.join("; ")}`;
}
