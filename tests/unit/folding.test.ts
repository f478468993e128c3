import { expect, it } from "vitest";
import type { HistoryItem } from "../../src/agent.ts";
import { foldable } from "../../src/folding.ts";
import { said } from "./client-agent.fixture.ts";

/** So many turns of two items, each so long. */
const history = (turns: number, length = 10): readonly HistoryItem[] =>
  Array.from({ length: turns * 2 }, (_, at) =>
    said(at % 2 === 0 ? "user" : "agent", "x".repeat(length), { turn: `t${at >> 1}` as HistoryItem["turn"] }),
  );

it("begins beyond twice the items that are kept, and leaves those, in whole turns", () => {
  expect(foldable(history(5), 5)).toEqual([]);
  expect(foldable(history(6), 5)).toEqual(history(6).slice(0, 8));
  expect(foldable(history(6), 6)).toEqual([]);
});

it("begins with 48,000 characters however few items they are, and never with the last three", () => {
  expect(foldable(history(2, 12_000), 20)).toEqual([]);
  expect(foldable(history(2, 12_001), 20)).toHaveLength(2);
  expect(foldable(history(2, 30_000).slice(0, 3), 20)).toEqual([]);
});

it("takes no more than 32,000 characters at a time, of each item 2,000 at most, and the turn that they end in whole", () => {
  expect(foldable(history(50, 1_000), 4)).toHaveLength(32);
  expect(foldable(history(50, 16_000), 4)).toHaveLength(16);
  const one = history(40, 5_000).map((item) => ({ ...item, turn: "t" as HistoryItem["turn"] }));
  expect(foldable(one, 4)).toHaveLength(80);
});
