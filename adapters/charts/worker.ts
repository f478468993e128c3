/** The thread that draws one chart. */
import { readFile } from "node:fs/promises";
import { parentPort, workerData } from "node:worker_threads";
import { initWasm, Resvg } from "@resvg/resvg-wasm";
import { BarChart, LineChart, PieChart, ScatterChart } from "echarts/charts";
import { GridComponent, LegendComponent, TitleComponent } from "echarts/components";
import { init, use } from "echarts/core";
import { LabelLayout } from "echarts/features";
import { SVGRenderer } from "echarts/renderers";
import type { Chart } from "../../src/charts.ts";
import { fontFamily, optionOf, size } from "./option.ts";

export interface Drawing {
  readonly chart: Chart;
  readonly locale: string;
}
export type Drawn = { readonly png: Uint8Array } | { readonly error: string };

/** Of what messengers show whole on a phone, twice as sharp as it is laid out. */
const pixels = 1_200;

const fileOf = (name: string) => readFile(new URL(import.meta.resolve(name)));
const font = (weight: string) => `@expo-google-fonts/noto-sans/${weight}/NotoSans_${weight}.ttf`;

async function draw({ chart, locale }: Drawing): Promise<Uint8Array> {
  use([
    BarChart,
    LineChart,
    PieChart,
    ScatterChart,
    GridComponent,
    LegendComponent,
    TitleComponent,
    LabelLayout,
    SVGRenderer,
  ]);
  const canvas = init(null, null, { renderer: "svg", ssr: true, ...size });
  canvas.setOption(optionOf(chart, locale));
  const svg = canvas.renderToSVGString();
  canvas.dispose();
  const [wasm, ...fontBuffers] = await Promise.all([
    fileOf("@resvg/resvg-wasm/index_bg.wasm"),
    fileOf(font("400Regular")),
    fileOf(font("600SemiBold")),
  ]);
  await initWasm(wasm);
  const picture = new Resvg(svg, {
    fitTo: { mode: "width", value: pixels },
    font: { fontBuffers, defaultFontFamily: fontFamily },
  });
  return picture.render().asPng();
}

const drawn = await draw(workerData as Drawing).then(
  (png): Drawn => ({ png }),
  (error: unknown): Drawn => ({ error: error instanceof Error ? error.name : "unknown" }),
);
parentPort?.postMessage(drawn);
