import { describe, expect, it } from "vitest";
import { discordDialect } from "../../../channels/discord/format.ts";
import { compareIds, idAt, latestOf, timeOf } from "../../../channels/discord/snowflake.ts";
import { readableOf } from "../../fakes/discord/readable.ts";

const { render, escape } = discordDialect;

describe("markdown in Discord's own", () => {
  it.each([
    ["**bold** *it* ~~gone~~ `code`", "**bold** *it* ~~gone~~ `code`"],
    ["# One\n\n#### Four", "# One\n\n**Four**"],
    ["[site](https://example.org)", "[site](https://example.org)"],
    ["[x](javascript:alert(1))", "x (javascript:alert(1))"],
    ["<https://example.org/a_b_c>", "https://example.org/a_b_c"],
    ["> quoted\n> > twice", "> quoted\n> \\> twice"],
    ["- one\n- two", "• one\n• two"],
    ["---", "———"],
    ["```ts\na ` b\n```", "```ts\na ` b\n```"],
  ])("%s", (markdown, expected) => {
    expect(render(markdown)).toBe(expected);
  });

  it("has tables as text of one width", () => {
    expect(render("| a | bb |\n|---|---|\n| 鍵 | 1 |")).toBe("```\na  │ bb\n───┼───\n鍵 │ 1\n```");
  });

  it("cannot be left by a fence in the code", () => {
    expect(render("````\n```\n@everyone\n````").match(/```/g)).toHaveLength(2);
  });
});

describe("plain text", () => {
  it.each([
    "*a* _b_ ~c~ `d` |e| [f](g) \\h",
    "# no heading\n> no quote\n- no list\n1. no number\n-# not small",
    "see https://example.org/a_b_c_d?x=*1 now",
    "<script>alert(1)</script> <@123> <#4> <:e:5> <t:1:R> @everyone @here",
    "",
    "1995. A year",
  ])("is shown as it is: %j", (plain) => {
    expect(readableOf(escape(plain))).toBe(plain);
  });

  it("names nobody", () => {
    expect(escape("@everyone <@1>")).not.toMatch(/@everyone|(?<!\\)<@/);
  });
});

describe("ids", () => {
  it("compare as numbers and say their time", () => {
    expect(["99", "100", "1000"].toSorted(compareIds)).toEqual(["99", "100", "1000"]);
    expect(latestOf(["999999999999999999", "1000000000000000000", "5"])).toBe("1000000000000000000");
    expect(latestOf([])).toBeUndefined();
    expect(timeOf(idAt(1_795_430_000_123))).toBe(1_795_430_000_123);
    expect(timeOf("../x")).toBeUndefined();
  });
});
