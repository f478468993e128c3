/** Random markdown, long and short, cut for platforms of any size: within the limit, nothing lost, nothing left open. */
import { describe, expect, it } from "vitest";
import { telegramDialect, withoutMarkup } from "../../channels/telegram/format.ts";
import type { Dialect, Traits } from "../../src/channel.ts";
import { compose } from "../../src/format.ts";
import { escapeMarkdown, plainText } from "../../src/markdown.ts";
import { parseHtml } from "../fakes/telegram/html.ts";

function traits(max: number): Traits {
  return {
    order: "time",
    text: { max },
    caption: { max: 0 },
    media: {},
    location: false,
    replies: false,
    receipts: false,
  };
}

/** A platform whose markup is markdown itself: what the splitting makes, unseen by any renderer. */
const markdownDialect: Dialect = {
  render: (markdown) => markdown.trim(),
  escape: escapeMarkdown,
  measure: (rendered) => rendered.length,
};

interface Random {
  (below: number): number;
}
function seeded(seed: number): Random {
  let state = seed * 2_654_435_769 + 1;
  return (below) => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d);
    state = Math.imul(state ^ (state >>> 12), 0x297a2d39);
    state = (state ^ (state >>> 15)) >>> 0;
    return state % below;
  };
}

/** Markdown of every kind whose words are numbered, so that each can be looked for. */
function randomMarkdown(random: Random): { markdown: string; words: string[] } {
  const words: string[] = [];
  const word = () => {
    const made = `w${words.length}${["", "é", "世界", "👩‍👩‍👧", "x".repeat(random(12))][random(5)] ?? ""}q`;
    words.push(made);
    return made;
  };
  const plain = (): string =>
    Array.from({ length: 1 + random(12) }, word).join(" ") + (["", ".", "!", ","][random(4)] ?? "");
  const spans = [
    plain,
    plain,
    () => `**${plain()}**`,
    () => `_${plain()}_`,
    () => `~~${plain()}~~`,
    () => `\`${plain()}\``,
    () => `**${plain()} _${plain()}_ ${plain()}**`,
    () => `[${plain()}](https://example.org/${random(99)})`,
    () => `[${plain()}][ref]`,
    () => `5 < ${word()} & ${word()} \\* ${word()}`,
  ];
  const line = () => Array.from({ length: 1 + random(5) }, () => spans[random(spans.length)]?.() ?? "").join(" ");
  const list = (indent: string): string =>
    Array.from({ length: 1 + random(6) }, (_, index) => {
      const marker = random(2) === 0 ? "- " : `${index + 1}. `;
      const nested = indent.length < 6 && random(5) === 0 ? `\n${list(`${indent}${" ".repeat(marker.length)}`)}` : "";
      return `${indent}${marker}${line()}${nested}`;
    }).join("\n");
  const codeLine = () => `${" ".repeat(random(6))}${word()}(${word()}) { ${word()} * **${word()} }`;
  const blocks = [
    line,
    line,
    () => Array.from({ length: 1 + random(5) }, line).join("\n"),
    () => `${"#".repeat(1 + random(4))} ${line()}`,
    () => list(""),
    () =>
      `\`\`\`${["", "ts", "python"][random(3)]}\n${Array.from({ length: 1 + random(30) }, codeLine).join("\n")}\n\`\`\``,
    () => `> ${Array.from({ length: 1 + random(4) }, line).join("\n> ")}`,
    () =>
      `| ${word()} | ${word()} |\n|---|---|\n${Array.from({ length: 1 + random(8) }, () => `| ${word()} ${word()} | **${word()}** |`).join("\n")}`,
    () => "---",
    () => word().repeat(1 + random(40)),
  ];
  const body = Array.from({ length: 1 + random(25) }, () => blocks[random(blocks.length)]?.() ?? "").join("\n\n");
  return { markdown: `${body}\n\n[ref]: https://example.org/ref`, words };
}

const rounds = 40;
const limits = [100, 160, 300, 1000, 4096];

/** Where the words are cut inside, white space may come between their characters. */
function lost(words: readonly string[], text: string): string[] {
  const squeezed = text.replace(/\s/g, "");
  return words.filter((word) => !squeezed.includes(word));
}

describe("random markdown in parts", () => {
  for (const max of limits) {
    it(`of ${max} for Telegram: no part over it, none empty, no word lost, markup that Telegram takes`, () => {
      for (let seed = 1; seed <= rounds; seed += 1) {
        const { markdown, words } = randomMarkdown(seeded(seed * 7919 + max));
        const answer = { parts: [{ kind: "text" as const, text: markdown, format: "markdown" as const }] };
        const channel = { traits: traits(max), dialect: telegramDialect };
        const parts = compose(answer, channel, { notice: () => "" });
        const texts = parts.map((part) => (part.kind === "text" ? part.text : ""));
        for (const text of texts) {
          const parsed = parseHtml(text); // throws on markup that is not balanced
          expect(parsed.text.length, `seed ${seed}`).toBeLessThanOrEqual(max);
          expect(parsed.text.trim(), `seed ${seed}`).not.toBe("");
          expect(text.isWellFormed(), `seed ${seed}`).toBe(true);
        }
        const shown = texts.map(withoutMarkup).join("");
        expect(lost(words, shown), `seed ${seed}`).toEqual([]);
        expect(compose(answer, channel, { notice: () => "" })).toEqual(parts);
      }
    });

    it.skipIf(max < 160)(`of ${max} as markdown: every fence closed, no word lost, no delimiter left over`, () => {
      for (let seed = 1; seed <= rounds; seed += 1) {
        const { markdown, words } = randomMarkdown(seeded(seed * 104_729 + max));
        const answer = { parts: [{ kind: "text" as const, text: markdown, format: "markdown" as const }] };
        const parts = compose(answer, { traits: traits(max), dialect: markdownDialect }, { notice: () => "" });
        const texts = parts.map((part) => (part.kind === "text" ? part.text : ""));
        for (const text of texts) {
          expect(text.length, `seed ${seed}`).toBeLessThanOrEqual(max);
          const fences = text.match(/^(?:> |[-\d.]* )*```/gm)?.length ?? 0;
          expect(fences % 2, `seed ${seed}: ${text}`).toBe(0);
          expect(max < 300 || !/~~|\]\[ref|\]\(/.test(plainText(text)), `seed ${seed}: ${text}`).toBe(true);
        }
        expect(lost(words, texts.map(plainText).join("")), `seed ${seed}`).toEqual([]);
      }
    });
  }

  it("cuts no emoji and no surrogate pair", () => {
    for (const text of ["👩‍👩‍👧‍👦".repeat(200), "😀".repeat(999), "e\u0301".repeat(500), "🇩🇪🇫🇷".repeat(99)]) {
      const whole = new Set(Array.from(new Intl.Segmenter().segment(text), ({ segment }) => segment));
      for (const format of ["plain", "markdown"] as const) {
        const parts = compose(
          { parts: [{ kind: "text", text, format }] },
          { traits: traits(50), dialect: telegramDialect },
          { notice: () => "" },
        );
        const pieces = parts.map((part) => (part.kind === "text" ? part.text : ""));
        expect(pieces.join("")).toBe(text);
        for (const piece of pieces) {
          expect(piece.length).toBeLessThanOrEqual(50);
          for (const { segment } of new Intl.Segmenter().segment(piece)) expect(whole).toContain(segment);
        }
      }
    }
  });

  it("cuts a grapheme longer than a whole message by code points", () => {
    const text = `a${"\u0301".repeat(400)}`;
    const parts = compose(
      { parts: [{ kind: "text", text, format: "plain" }] },
      { traits: traits(100), dialect: telegramDialect },
      { notice: () => "" },
    );
    expect(parts.map((part) => (part.kind === "text" ? part.text : "")).join("")).toBe(text);
    expect(parts.length).toBeGreaterThanOrEqual(5);
  });
});
