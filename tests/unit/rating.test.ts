/** Thumbs as they are put on, changed and taken away. */
import { describe, expect, test } from "vitest";
import type { AgentId, MessageId } from "../../src/ids.ts";
import { answerIdOf, changeOf, countOf, rated, thumbOf, type Change, type Rating } from "../../src/rating.ts";
import { direct } from "./client-agent.fixture.ts";

const emoji = { up: ["👍"], down: ["👎"] };
const empty: Rating = {
  v: 1,
  id: answerIdOf({ conversation: direct.conversation, seq: 1 }),
  agent: "person:1" as AgentId,
  to: direct,
  seq: 1,
  answers: [],
  at: 0,
  target: "t:telegram:a:1:m1" as MessageId,
  voices: [],
};
const after = (changes: readonly (readonly [string, Change])[]) =>
  changes.reduce((of, [who, change]) => rated(of, who, change, 9), empty);
const up = (order: number): Change => ({ on: ["up"], off: [], order });
const down = (order: number): Change => ({ on: ["down"], off: [], order });
const off = (order: number, ...thumbs: ("up" | "down")[]): Change => ({ on: [], off: thumbs, order });

describe("a thumb", () => {
  test("counts once for each person", () => {
    expect(
      countOf(
        after([
          ["ann", up(1)],
          ["ann", up(2)],
          ["bob", up(1)],
          ["eve", down(1)],
        ]),
      ),
    ).toEqual({ up: 2, down: 1 });
  });

  test("is the latest of those that somebody has put on, and the other one again when that is taken away", () => {
    const both = after([
      ["ann", up(1)],
      ["ann", down(2)],
    ]);
    expect(countOf(both)).toEqual({ up: 0, down: 1 });
    expect(countOf(rated(both, "ann", off(3, "down"), 9))).toEqual({ up: 1, down: 0 });
    expect(thumbOf({ up: { on: true, order: 4 }, down: { on: true, order: 4 } })).toBe("down");
  });

  test("changes nothing where it comes twice, late, or was never there", () => {
    const one = after([["ann", up(5)]]);
    for (const change of [up(5), up(6), off(4, "up"), off(9, "down")]) expect(rated(one, "ann", change, 99)).toBe(one);
    expect(rated(empty, "ann", off(1, "up", "down"), 9)).toBe(empty);
    expect(
      countOf(
        after([
          ["ann", down(7)],
          ["ann", off(8, "down")],
          ["ann", down(7)],
        ]),
      ),
    ).toEqual({ up: 0, down: 0 });
  });

  test("brings words, of a length", () => {
    const said = after([["ann", { ...down(1), words: ` ${"x".repeat(3_000)} ` }]]);
    expect(said.voices[0]?.words).toHaveLength(2_000);
    expect(rated(empty, "ann", { on: [], off: [], order: 1, words: "hi" }, 9)).toBe(empty);
  });

  test("is that of five hundred people at most", () => {
    const many = after(Array.from({ length: 501 }, (_, n) => [`p${n}`, up(1)] as const));
    expect(countOf(many).up).toBe(500);
    expect(countOf(rated(many, "p0", down(2), 9))).toEqual({ up: 499, down: 1 });
  });
});

describe("a reaction", () => {
  test("is a thumb in any colour of skin, and otherwise nothing", () => {
    for (const one of ["👍", "👍🏻", "👍🏿", "👍\uFE0F"])
      expect(changeOf({ added: [one], removed: [] }, emoji, false)).toEqual({ on: ["up"], off: [] });
    expect(changeOf({ added: ["❤"], removed: ["🔥"] }, emoji, false)).toBeUndefined();
    expect(changeOf({ added: ["👎🏽"], removed: ["👍"] }, emoji, false)).toEqual({ on: ["down"], off: ["up"] });
  });

  test("that is all there is takes away what it does not say", () => {
    expect(changeOf({ added: [], removed: [] }, emoji, true)).toEqual({ on: [], off: ["up", "down"] });
    expect(changeOf({ added: ["❤"], removed: [] }, emoji, true)).toEqual({ on: [], off: ["up", "down"] });
    expect(changeOf({ added: ["👍"], removed: [] }, emoji, true)).toEqual({ on: ["up"], off: ["down"] });
  });
});
