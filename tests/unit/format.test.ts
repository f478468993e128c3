import { describe, expect, it } from "vitest";
import type { Dialect, Traits } from "../../src/channel.ts";
import { compose } from "../../src/format.ts";
import { plainText } from "../../src/markdown.ts";
import type { Answer, Button } from "../../src/message.ts";

const rich: Traits = {
  order: "time",
  text: { max: 1000 },
  caption: { max: 100 },
  buttons: { max: 3, label: 20, id: 8 },
  media: { image: 1000, file: 5000 },
  location: true,
  replies: true,
  receipts: false,
};
const { buttons: _none, ...rest } = rich;
const poor: Traits = { ...rest, caption: { max: 0 }, media: {}, location: false };

/** Escapes "<" and shows what it was asked to render. */
const dialect: Dialect = {
  render: (markdown) => `m:${plainText(markdown)}`,
  escape: (plain) => plain.replaceAll("<", "&lt;"),
  measure: (rendered) => rendered.length,
};
const options = { notice: (key: string) => `notice **${key}**`, blobUrl: (id: string) => `https://gw/${id}` };
const run = (answer: Answer, traits = rich) => compose(answer, { traits, dialect }, options);
const text = (words: string, format: "plain" | "markdown" = "plain") => ({
  kind: "text" as const,
  text: words,
  format,
});
const image = (more: object = {}) => ({
  kind: "image" as const,
  source: { from: "blob" as const, id: "b1" },
  type: "image/png",
  ...more,
});
const choice: Button[] = [
  { id: "y", label: "Yes" },
  { id: "", label: "Site", url: "https://x.org" },
];

describe("an answer for a platform", () => {
  it("does not parse text without markup", () => {
    expect(run({ parts: [text("hello a<b", "plain"), text("Hello, you: 2.5!", "markdown")] })).toEqual([
      { kind: "text", text: "hello a&lt;b" },
      { kind: "text", text: "Hello, you: 2.5!" },
    ]);
    expect(run({ parts: [text("**hello**", "markdown")] })).toEqual([{ kind: "text", text: "m:hello" }]);
  });
  it("has no part for nothing", () => {
    expect(run({ parts: [text("  \n "), text(""), text("\n", "markdown")] })).toEqual([]);
    expect(run({ parts: [] })).toEqual([]);
  });
  it("speaks for the gateway itself", () => {
    expect(run({ parts: [], notice: "help" })).toEqual([{ kind: "text", text: "m:notice help" }]);
  });

  it("puts one text beside one medium under it", () => {
    expect(run({ parts: [text("see"), image()] })).toEqual([{ kind: "media", media: image(), caption: "see" }]);
    expect(run({ parts: [image(), text("see")], buttons: choice })).toEqual([
      { kind: "media", media: image(), caption: "see", buttons: choice },
    ]);
    expect(run({ parts: [text("x".repeat(101)), image()] })).toHaveLength(2);
    expect(run({ parts: [text("see"), image(), image()] })).toHaveLength(3);
  });
  it("sends what is too large or unknown as a file, and else as a link or its name", () => {
    expect(run({ parts: [image({ size: 2000 })] })).toMatchObject([{ media: { kind: "file" } }]);
    expect(run({ parts: [image({ size: 9000, name: "a.png" })] })).toEqual([
      { kind: "text", text: "a.png: https://gw/b1" },
    ]);
    expect(run({ parts: [image({ source: { from: "url", url: "https://x.org/<" } })] }, poor)).toEqual([
      { kind: "text", text: "image: https://x.org/&lt;" },
    ]);
    expect(run({ parts: [image({ source: { from: "platform", ref: "r" }, alt: "a cat" })] }, poor)).toEqual([
      { kind: "text", text: "a cat" },
    ]);
  });
  it("shows a place as a link where there are no places", () => {
    const place = { kind: "location" as const, latitude: 1.5, longitude: -2, name: "Gate", address: "Square 1" };
    expect(run({ parts: [place] })).toEqual([{ kind: "location", latitude: 1.5, longitude: -2, name: "Gate" }]);
    expect(run({ parts: [place] }, poor)).toEqual([
      { kind: "text", text: "Gate\nSquare 1\nhttps://www.openstreetmap.org/?mlat=1.5&mlon=-2" },
    ]);
  });

  it("puts buttons on the last text, on its last part", () => {
    const parts = run({ parts: [text("a"), text("b ".repeat(900)), image()], buttons: choice });
    expect(parts.map((part) => part.kind === "text" && part.buttons !== undefined)).toEqual([
      false,
      false,
      true,
      false,
    ]);
    expect(run({ parts: [image(), image()], buttons: choice })[1]).toMatchObject({ buttons: choice });
  });
  it.each([
    ["has none", poor, choice],
    ["has fewer", rich, [...choice, ...choice]],
    ["has shorter labels", rich, [{ id: "y", label: "x".repeat(21) }]],
    ["has shorter ids", rich, [{ id: "ééééé", label: "Yes" }]],
    ["needs ids", rich, [{ id: "", label: "Yes" }]],
    ["links nowhere", rich, [{ id: "", label: "Yes", url: "javascript:x" }]],
  ])("lists buttons by number where the platform %s", (_name, traits, buttons) => {
    const list = buttons
      .map(({ label, ...one }, at) => `${at + 1}. ${label}${"url" in one && one.url ? `: ${one.url}` : ""}`)
      .join("\n");
    expect(run({ parts: [text("Sure?")], buttons }, traits)).toEqual([{ kind: "text", text: `Sure?\n\n${list}` }]);
    const long = run({ parts: [text("x".repeat(1000))], buttons }, traits);
    expect(long).toEqual([
      { kind: "text", text: "x".repeat(1000) },
      { kind: "text", text: list },
    ]);
    expect(run({ parts: [], buttons }, traits)).toEqual([{ kind: "text", text: list }]);
  });
});

describe("a long text", () => {
  const markdown: Dialect = {
    render: (source) => source.trim(),
    escape: (plain) => plain,
    measure: (rendered) => rendered.length,
  };
  const cut = (source: string, max: number, format: "plain" | "markdown" = "markdown") =>
    compose({ parts: [text(source, format)] }, { traits: { ...poor, text: { max } }, dialect: markdown }, options).map(
      (part) => (part.kind === "text" ? part.text : ""),
    );

  it("is cut between blocks, and a heading stays with what it heads", () => {
    const parts = cut(`${"a ".repeat(20)}\n\n## Head\n\n${"b ".repeat(20)}\n\nend`, 60);
    expect(parts).toEqual(["a ".repeat(20).trim(), `## Head\n\n${"b ".repeat(20)}\n\nend`]);
  });
  it("is cut between sentences rather than words", () => {
    expect(cut("One two three four. Five six seven eight nine ten.", 30, "plain")).toEqual([
      "One two three four.",
      "Five six seven eight nine ten.",
    ]);
  });
  it("closes a code block and opens it again in its language", () => {
    const parts = cut(`\`\`\`python\n${Array.from({ length: 9 }, (_, n) => `line${n}()`).join("\n")}\n\`\`\``, 50);
    expect(parts.length).toBeGreaterThan(1);
    for (const part of parts) expect(part).toMatch(/^```python\n(?:line\d\(\)\n)+```$/);
  });
  it("is cut as text where not even the markup fits", () => {
    const parts = cut("```python\nlet a = 1;\nlet b = 2;\n```", 12);
    expect(parts.every((part) => part.length <= 12)).toBe(true);
    expect(plainText(parts.join("")).replace(/\s/g, "")).toContain("leta=1;");
  });
  it("goes out as it was written where no rendering of it fits", () => {
    const swollen: Dialect = { ...markdown, render: (source) => `${"!".repeat(30)}${source}` };
    const channel = { traits: { ...poor, text: { max: 20 } }, dialect: swollen };
    const parts = compose({ parts: [text("**bold** words and more of them", "markdown")] }, channel, options);
    for (const part of parts) expect(part.kind === "text" && part.text.length <= 20).toBe(true);
  });
  it("repeats the header of a table", () => {
    const parts = cut(
      `| k | v |\n|---|---|\n${Array.from({ length: 6 }, (_, n) => `| k${n} | v${n} |`).join("\n")}`,
      50,
    );
    expect(parts.length).toBeGreaterThan(1);
    for (const part of parts) expect(part).toMatch(/^\| k \| v \|\n\|---\|---\|\n\| k\d/);
  });
  it("goes on counting in a list", () => {
    const parts = cut(Array.from({ length: 12 }, () => "1. item").join("\n"), 40);
    expect(parts.join("\n").match(/\d+(?=\. item)/g)).toEqual(Array.from({ length: 12 }, (_, n) => String(n + 1)));
  });
  it("closes and opens bold, links and quotes", () => {
    expect(cut(`**${"bold ".repeat(12).trim()}**`, 40).every((part) => /^\*\*bold[\w ]*bold\*\*$/.test(part))).toBe(
      true,
    );
    expect(
      cut(`[${"word ".repeat(12).trim()}](https://x.org)`, 50).every((part) =>
        /^\[[\w ]+\]\(https:\/\/x\.org\)$/.test(part),
      ),
    ).toBe(true);
    expect(cut(`> ${"word ".repeat(20).trim()}`, 40).every((part) => part.startsWith("> word"))).toBe(true);
  });
  it("begins no list or heading where a sentence was cut", () => {
    const parts = cut(`${"word ".repeat(5)}\n# not`.replace("\n", ""), 25, "markdown");
    expect(parts.at(-1)).toMatch(/^(?:word )?\\?# not$|not$/);
    for (const part of cut(`${"x".repeat(20)} - y ${"z".repeat(20)} 1. q`, 22))
      expect(part).not.toMatch(/^(?:- |1\. )/);
  });
});

describe("markdown that shows nothing", () => {
  const silent: Dialect = { ...dialect, render: () => "" };
  const shown = (answer: Answer) => compose(answer, { traits: rich, dialect: silent }, options);

  it("goes out as it was written where it is the whole answer, so that nobody is left without one", () => {
    expect(shown({ parts: [text("[x]: http://a<b", "markdown")] })).toEqual([
      { kind: "text", text: "[x]: http://a&lt;b" },
    ]);
  });

  it("is left out beside something that is shown", () => {
    expect(shown({ parts: [text("```\n```", "markdown"), image()] }).map(({ kind }) => kind)).toEqual(["media"]);
  });
});
