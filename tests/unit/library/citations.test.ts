import { expect, it } from "vitest";
import { citedIn, quoteFrom } from "../../../agents/skills/citations.ts";

it("numbers of sources that there are none of are taken out, whatever else stands in brackets stays", () => {
  const has = (number: number) => number <= 3;
  expect(citedIn("One [2]. Two [1, 9; 3][7] and [4].", has)).toEqual({
    text: "One [2]. Two [1][3] and.",
    numbers: [2, 1, 3],
  });
  const other = "a[0], [x], [1](https://a.example) and [12345]";
  expect(citedIn(other, has)).toEqual({ text: other, numbers: [] });
});

it("a quote is the sentence that has most in common with what was said, whole where its lines were broken", () => {
  const text = "Memo\nThe office in Lisbon opens in May. A webhook is signed\nas `Standard\nWebhooks` says.\n\nBye.";
  expect(quoteFrom(text, "When does Lisbon open?")).toBe("The office in Lisbon opens in May.");
  expect(quoteFrom("A webhook is\nsigned by its secret.", "signed webhook")).toBe("A webhook is signed by its secret.");
  expect(quoteFrom(`${"word ".repeat(100)}.`, "word").length).toBe(240);
  expect(quoteFrom("", "word")).toBe("");
});
