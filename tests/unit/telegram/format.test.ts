import { describe, expect, it } from "vitest";
import { telegramDialect, withoutMarkup } from "../../../channels/telegram/format.ts";
import { parseHtml } from "../../fakes/telegram/html.ts";

const { render, escape, measure } = telegramDialect;

describe("markdown for Telegram", () => {
  it.each([
    ["# Title", "<b>Title</b>"],
    ["**b** _i_ ~~s~~ `c<d`", "<b>b</b> <i>i</i> <s>s</s> <code>c&lt;d</code>"],
    ['[a](https://x.org/?a=1&b="2")', '<a href="https://x.org/?a=1&amp;b=&quot;2&quot;">a</a>'],
    ["[a](./b) [c](javascript:x)", "a (./b) c (javascript:x)"],
    ["![pic](https://x.org/p.png)", '<a href="https://x.org/p.png">pic</a>'],
    ["- a\n  - b\n- [x] c\n- [ ] d", "• a\n  • b\n☑ c\n☐ d"],
    ["3. a\n4. b", "3. a\n4. b"],
    ["```ts\na < b\n```", '<pre><code class="language-ts">a &lt; b</code></pre>'],
    ["> a\n> > b", "<blockquote>a\n&gt; b</blockquote>"],
    ["| a | b |\n|---|---|\n| 1 | 世界 |", "<pre>a │ b\n──┼─────\n1 │ 世界</pre>"],
    ["a\n\n---\n\nb", "a\n\n———\n\nb"],
    ["a &amp; &lt;b> &copy; &#128512;", "a &amp; &lt;b&gt; &amp;copy; 😀"],
    ["<b>x</b><br>y", "&lt;b&gt;x&lt;/b&gt;\ny"],
    ["https://x.org/a_b_c and www.x.org", "https://x.org/a_b_c and www.x.org"],
    ["```\n```", ""],
  ])("%j", (markdown, html) => {
    expect(render(markdown)).toBe(html);
    expect(() => parseHtml(html)).not.toThrow();
  });

  it("shows as text what the parser cannot take", () => {
    const deep = `${"> ".repeat(5_000)}x`;
    expect(withoutMarkup(render(deep))).toContain("x");
    expect(() => parseHtml(render(deep))).not.toThrow();
    const started = performance.now();
    expect(withoutMarkup(render("*a_".repeat(20_000)))).toContain("*a_");
    expect(performance.now() - started).toBeLessThan(1_000);
  });

  it("says the same of text without markup whether it parses it or not", () => {
    const text = "Plain, short: 3.5 (or 4)! Mail me@x.org or https://x.org/?a=1\nsecond line\n\nthird – ok?";
    expect(escape(text)).toBe(render(`${text}\n\n[unused]: https://x.org`));
  });

  it("counts as Telegram does", () => {
    for (const markdown of ['**b** `<&>` 😀 [a](https://x.org/&"<)', "plain", "a & b"]) {
      expect(measure(render(markdown))).toBe(parseHtml(render(markdown)).text.length);
    }
  });
});
