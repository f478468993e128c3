import { describe, expect, it } from "vitest";
import { createCharts } from "../../../adapters/charts/index.ts";
import { partsOf } from "../../../agents/skills/analyst/results.ts";
import { altTextOf, chartSpec } from "../../../src/charts.ts";
import { InputError } from "../../../src/errors.ts";
import { memoryBlobs, quiet, rejection, testClock } from "../client-agent.fixture.ts";

const charts = createCharts({ clock: testClock(), log: quiet });
const bar = {
  kind: "bar",
  title: "Umsätze",
  x: "Ort",
  y: "€",
  labels: ["Köln", "Bonn"],
  series: [{ values: [1234.5, null] }],
};
const many = Array.from({ length: 200 }, (_, at) => at);

describe("charts", { timeout: 120_000 }, () => {
  it.each([
    ["bars", bar],
    [
      "many bars",
      {
        ...bar,
        labels: many.map((at) => `<b>&amp; ${"lang ".repeat(20)}${at}`),
        series: [{ values: many }, { values: many }],
      },
    ],
    ["a line", { ...bar, kind: "line" }],
    ["a pie", { kind: "pie", title: "%s ${a} <svg onload=1>", labels: ["a", "b"], values: [1, 0] }],
    ["points", { kind: "scatter", title: "t", series: [{ points: many.map((at) => [at, -at * 1e300]) }] }],
  ])("are pictures: %s", async (_, spec) => {
    const png = Buffer.from(await charts.draw(chartSpec.parse(spec), "de"));
    expect(png.subarray(0, 8).toString("latin1")).toBe("\x89PNG\r\n\x1a\n");
    expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([1_200, 750]);
    expect(png.byteLength).toBeGreaterThan(5_000);
    expect(png.byteLength).toBeLessThan(500_000);
  });

  it("are called off", async () => {
    const abort = new AbortController();
    const drawing = charts.draw(chartSpec.parse(bar), "en", abort.signal);
    setTimeout(() => abort.abort(new Error("called off")), 50);
    expect((await rejection(drawing)).message).toBe("called off");
  });

  it("fit together and within bounds, or are none", () => {
    const problem = (spec: unknown) => chartSpec.safeParse(spec).error?.issues[0]?.message;
    expect(problem({ ...bar, labels: ["Köln"] })).toBe("there must be as many values as labels");
    expect(problem({ ...bar, labels: [...many, "x"].map(String) })).toContain("200");
    expect(problem({ kind: "pie", title: "t", labels: ["a"], values: [0] })).toBe("a pie needs a value above 0");
    expect(problem({ kind: "pie", title: "t", labels: ["a"], values: [-1] })).toBeDefined();
    expect(problem({ kind: "scatter", title: "t", series: [{ points: [] }] })).toBe("there are no points");
    expect(problem({ ...bar, title: "" })).toBeDefined();
    expect(problem({ ...bar, series: [{ values: [1, "2"] }] })).toBeDefined();
  });

  it("are told to who does not see them", () => {
    expect(altTextOf(chartSpec.parse(bar), "de")).toBe("Umsätze (bar): Köln 1.234,5");
    const line = { ...bar, kind: "line", labels: many, series: [{ name: "n", values: many }] };
    expect(altTextOf(chartSpec.parse(line), "en")).toBe("Umsätze (line): n: 0 0 … 199 199");
    expect(altTextOf(chartSpec.parse({ kind: "pie", title: "t", labels: ["a"], values: [1] }), "en")).toBe(
      "t (pie): a 1",
    );
  });

  it("are words where there is no picture of them", async () => {
    const broken = { draw: () => Promise.reject(new InputError("the chart cannot be drawn")) };
    const to = { charts: broken, blobs: memoryBlobs(), locale: "en", signal: new AbortController().signal };
    const made = [{ kind: "chart" as const, title: "Umsätze", chart: chartSpec.parse(bar) }];
    expect(await partsOf("Here.", made, to)).toEqual([{ kind: "text", text: "Here.\n\nUmsätze (bar): Köln 1,234.5" }]);
  });
});
