import type { MessageEntity } from "grammy/types";
import { describe, expect, it } from "vitest";
import { textAndFormat } from "../../../channels/telegram/entities.ts";
import { telegramDialect } from "../../../channels/telegram/format.ts";
import { parseHtml } from "../../fakes/telegram/html.ts";

const at = (type: string, offset: number, length: number, more: object = {}) =>
  ({ type, offset, length, ...more }) as MessageEntity;

describe("entities", () => {
  it("are markdown with the white space outside", () => {
    expect(textAndFormat("a bold b", [at("bold", 1, 6)]).text).toBe("a **bold** b");
    expect(textAndFormat("unfriggingbelievable", [at("italic", 2, 8)]).text).toBe("un*frigging*believable");
    expect(textAndFormat("x   y", [at("bold", 1, 3)]).text).toBe("x   y");
  });
  it("nest, share borders, and survive nonsense", () => {
    expect(textAndFormat("all", [at("italic", 0, 3), at("bold", 0, 3)]).text).toBe("**_all_**");
    expect(textAndFormat("abcdef", [at("bold", 0, 4), at("italic", 2, 4)]).text).toBe("**ab*cd***ef");
    expect(textAndFormat("ab", [at("bold", 0, 99), at("code", 50, 3), at("italic", -3, 2)]).text).toContain("ab");
  });
  it("are no markup where they only name things", () => {
    const text = "@a #b /c d@e.f +1 *x*";
    expect(textAndFormat(text, [at("mention", 0, 2), at("underline", 3, 2), at("spoiler", 3, 2)])).toEqual({
      text,
      format: "plain",
    });
  });
  it("quote, and escape what would be markup", () => {
    const { text } = textAndFormat("one\ntwo\nthree # * _x_\n# four\n1. five", [
      at("blockquote", 0, 7),
      at("bold", 8, 5),
    ]);
    expect(text).toBe("> one\n> two\n\n**three** # \\* \\_x\\_\n\\# four\n1\\. five");
  });

  it.each([
    ["bold and italic", "a b c d", [at("bold", 0, 7), at("italic", 2, 3)]],
    ["code with ticks", "say `x` now", [at("code", 4, 3)]],
    ["a block", "look:\nconst a = '```';\nend", [at("pre", 6, 16, { language: "js" })]],
    ["a link", "see here (now)", [at("text_link", 4, 4, { url: "https://example.org/a_(b)" })]],
    ["struck emoji", "😀 gone 😀", [at("strikethrough", 3, 4)]],
  ])("come back as they were when sent again: %s", (_name, text, entities) => {
    const sent = parseHtml(telegramDialect.render(textAndFormat(text, entities).text));
    expect(sent.text.replace(/\s+/g, " ")).toBe(text.replace(/\s+/g, " "));
    const shape = (list: readonly { type: string }[]) => list.map(({ type }) => type).sort();
    expect(shape(sent.entities)).toEqual(shape(entities));
  });
});
