/** How charts look: large type and few lines, since they are read on phones. */
import type { EChartsCoreOption } from "echarts/core";
import type { Chart } from "../../src/charts.ts";

export const fontFamily = "Noto Sans";
export const size = { width: 800, height: 500 } as const;

/** Told apart by their brightness too (after Okabe and Ito). */
const color = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8c8c8c", "#4b3f72"];
const ink = "#222831";
const faint = "#5b6570";
const longestTick = 22;
const mostTicksAcross = 12;

type Cartesian = Exclude<Chart, { kind: "pie" }>;

export function optionOf(chart: Chart, locale: string): EChartsCoreOption {
  const formats = formatsOf(locale);
  const named = chart.kind !== "pie" && chart.series.length > 1;
  return {
    animation: false,
    backgroundColor: "#ffffff",
    color,
    textStyle: { fontFamily, fontSize: 15, color: ink },
    title: {
      text: chart.title,
      left: 24,
      top: 18,
      textStyle: {
        fontFamily,
        fontSize: 22,
        fontWeight: 600,
        lineHeight: 28,
        color: ink,
        width: size.width - 48,
        overflow: "break",
      },
    },
    ...(named ? { legend: legend(chart) } : {}),
    ...(chart.kind === "pie" ? { series: [slices(chart, formats)] } : across(chart, formats, named)),
  };
}

function legend({ series }: Cartesian) {
  const data = series.map(({ name }, at) => nameOf(name, at));
  return { data, bottom: 14, itemGap: 20, icon: "roundRect", textStyle: { fontFamily, fontSize: 15, color: ink } };
}

const nameOf = (name: string, at: number) => (name === "" ? String(at + 1) : name);

function across(chart: Cartesian, formats: Formats, named: boolean): EChartsCoreOption {
  const label = { fontFamily, fontSize: 14, color: faint };
  const titled = (name: string) => ({ name, nameTextStyle: { fontFamily, fontSize: 15, color: ink } });
  const values = {
    type: "value" as const,
    axisLabel: { ...label, formatter: formats.tick },
    splitLine: { lineStyle: { color: "#e3e6ea" } },
  };
  const lying = isLying(chart);
  // Names of axes are within it.
  const top = chart.title.length > 58 ? 96 : 66;
  const grid = { left: 28, right: 36, top, bottom: named ? 60 : 28, outerBoundsMode: "same" as const };
  if (chart.kind === "scatter")
    return {
      grid,
      xAxis: { ...values, ...titled(chart.x), nameLocation: "middle", nameGap: 34, scale: true },
      yAxis: { ...values, ...titled(chart.y), nameLocation: "end", nameGap: 16, nameTextStyle: upright, scale: true },
      series: chart.series.map(({ name, points }, at) => ({
        type: "scatter",
        name: nameOf(name, at),
        data: points,
        symbolSize: points.length > 300 ? 6 : 10,
        itemStyle: { opacity: 0.75 },
      })),
    };
  const names = {
    type: "category" as const,
    data: chart.labels,
    axisLabel: { ...label, hideOverlap: true, width: lying ? 220 : 110, overflow: "truncate" as const },
    axisTick: { show: false },
    axisLine: { lineStyle: { color: faint } },
  };
  const series = chart.series.map(({ name, values: data }, at) => ({
    type: chart.kind,
    name: nameOf(name, at),
    data,
    ...(chart.kind === "line" ? { symbolSize: 7, showSymbol: data.length <= 40, lineStyle: { width: 3 } } : bars),
    ...(chart.series.length === 1 && data.length <= mostTicksAcross
      ? { label: { show: true, position: lying ? "right" : "top", formatter: formats.value, ...label, color: ink } }
      : {}),
  }));
  if (lying)
    return {
      grid: { ...grid, right: 70 },
      xAxis: { ...values, ...titled(chart.y), nameLocation: "middle", nameGap: 34 },
      yAxis: { ...names, ...titled(chart.x), nameLocation: "start", inverse: true },
      series,
    };
  return {
    grid,
    xAxis: { ...names, ...titled(chart.x), nameLocation: "middle", nameGap: 34 },
    yAxis: { ...values, ...titled(chart.y), nameLocation: "end", nameGap: 16, nameTextStyle: upright },
    series,
  };
}

const upright = { fontFamily, fontSize: 15, color: ink, align: "left" as const, padding: [0, 0, 0, -24] };
const bars = { barMaxWidth: 64, itemStyle: { borderRadius: 2 } };

/** Long names are read beside lying bars, not under standing ones. */
function isLying(chart: Cartesian): boolean {
  if (chart.kind !== "bar" || chart.labels.length > 20) return false;
  const longest = Math.max(...chart.labels.map((text) => text.length));
  return longest * chart.labels.length > 90 && longest > 6 && longest <= longestTick * 4;
}

function slices({ labels, values }: Extract<Chart, { kind: "pie" }>, formats: Formats) {
  return {
    type: "pie",
    radius: ["0%", "66%"],
    center: ["50%", "56%"],
    data: labels.map((name, at) => ({ name, value: values[at] })),
    itemStyle: { borderColor: "#ffffff", borderWidth: 2 },
    label: {
      fontFamily,
      fontSize: 15,
      color: ink,
      width: 200,
      overflow: "truncate",
      formatter: (of: { name: string; value: number; percent?: number }) =>
        `${of.name}\n${formats.value(of)} · ${formats.percent(of.percent ?? 0)}`,
    },
    labelLine: { length: 14, length2: 10 },
  };
}

interface Formats {
  tick(value: number): string;
  value(of: { readonly value: unknown }): string;
  percent(of: number): string;
}

function formatsOf(locale: string): Formats {
  const compact = new Intl.NumberFormat(locale, { notation: "compact", maximumFractionDigits: 2 });
  const plain = new Intl.NumberFormat(locale, { maximumFractionDigits: 2 });
  const share = new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 1 });
  return {
    tick: (value) => (Math.abs(value) >= 100_000 ? compact : plain).format(value),
    value: ({ value }) => (typeof value === "number" ? plain.format(value) : ""),
    percent: (of) => share.format(of / 100),
  };
}
