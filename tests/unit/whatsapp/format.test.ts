import { expect, it } from "vitest";
import { whatsappDialect } from "../../../channels/whatsapp/format.ts";

const { render, escape } = whatsappDialect;
const visible = (text: string) => text.replaceAll("\u2060", "");

it.each([
  ["**bold** and *italic* and ~~gone~~", "*bold* and _italic_ and ~gone~"],
  ["# Title\n\ntext", "*Title*\n\ntext"],
  ["# A **b** c", "*A b c*"],
  ["`code` and\n\n```ts\nconst a = 1;\n```", "`code` and\n\n```\nconst a = 1;\n```"],
  ["> said\n> so", "> said\n> so"],
  ["- one\n- two", "• one\n• two"],
  ["[site](https://example.org/a_b_c)", "site (https://example.org/a_b_c)"],
  ["https://example.org/_x_", "https://example.org/_x_"],
  ["| a | b |\n|---|---|\n| 1 | 22 |", "```\na | b\n--+---\n1 | 22\n```"],
])("renders %j", (markdown, expected) => {
  expect(render(markdown)).toBe(expected);
});

it("shows marks of plain text as they are, with nothing visible added", () => {
  for (const text of [
    "*not bold*",
    "_x_ and ~y~",
    "`z`",
    "```\ncode\n```",
    "> no quote",
    "a * b * c",
    "snake_case_name",
    "2 * 3 > 5",
  ]) {
    expect(visible(escape(text))).toBe(text);
  }
  expect(escape("*not bold*")).not.toMatch(/\*n.*d\*/);
  expect(escape("> no quote")).not.toMatch(/^>/);
  expect(escape("snake_case_name")).toBe("snake_case_name");
  expect(escape("see https://example.org/*a*b* now")).toContain("https://example.org/*a*b*");
});
