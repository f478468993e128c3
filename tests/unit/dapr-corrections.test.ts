import { expect, test } from "vitest";
import { corrected, type Correction } from "../../src/main/dapr/corrections.ts";

const correction: Correction = {
  module: "example.com/module",
  file: "a.go",
  edits: [{ after: "second", find: "nil", put: "err" }],
};

test("a correction changes what it names, and nothing else", () => {
  expect(corrected("first nil second nil third nil", correction)).toBe("first nil second err third nil");
});

test.each(["first nil third nil", "second nil second nil", "nil second"])(
  "another version's text is refused, not built as it is: %s",
  (text) => {
    expect(() => corrected(text, correction)).toThrow(/not the one/);
  },
);
