import { describe, expect, it } from "vitest";
import { calculate, formatNumber } from "../../agents/client/calculate.ts";
import { createDemoModel } from "../../adapters/models/demo/index.ts";
import type { HistoryItem } from "../../src/agent.ts";
import { InputError } from "../../src/errors.ts";
import type { Answer, Message } from "../../src/message.ts";
import { agentOn, hooks, message, said, testClock, turn } from "./client-agent.fixture.ts";

const clock = testClock({ now: Date.UTC(2026, 10, 23, 9, 30) });
const source = { from: "platform", ref: "r" } as const;

/** What the demo answers to messages after some history; without any, it is the first turn. */
async function ask(
  messages: readonly (string | Partial<Message>)[],
  history: readonly HistoryItem[] = [said("user", "hi"), said("agent", "Hello!")],
  settings: Record<string, unknown> = {},
) {
  const { agent, blobs } = agentOn(createDemoModel(clock, { wordDelayMs: 0 }), settings, { clock });
  const { answer } = await agent.run(
    turn(
      messages.map((one) => message(one)),
      { history },
    ),
    hooks(),
  );
  return { answer, text: textOf(answer), blobs };
}
const textOf = (answer: Answer) => answer.parts.flatMap((part) => (part.kind === "text" ? [part.text] : [])).join("\n");

describe("the demo", () => {
  it("says in its first answer what it is and how to set a real model, and then only when asked", async () => {
    expect((await ask(["hello"], [])).text).toMatch(/^Hello!.*demo model.*ASCENT_MODEL=openai:/s);
    expect((await ask(["hello"])).text).not.toContain("ASCENT_MODEL");
    expect((await ask(["are you a real model?"])).text).toContain("ASCENT_MODEL");
    const first = (await ask(["who are you?"], [])).text;
    expect(first.split("ASCENT_MODEL").length).toBe((await ask(["who are you?"])).text.split("ASCENT_MODEL").length);
  });

  it.each([
    ["what can you do?", "offer me choices"],
    ["help", "send me a file"],
    ["what time is it?", "Monday, 23 November 2026 at 09:30 (UTC)"],
    ["what is 12*7+3", "**87**"],
    ["(2+3)^2 =", "**25**"],
    ["what is 1/0?", "division by zero"],
    ["show markdown", "| web | yes |"],
    ["show me some code", "```ts"],
    ["thanks!", "welcome"],
    ["remember that my cat is called Tom", "my cat is called Tom"],
    ["Who won the match in Berlin?", "You asked: “Who won the match in Berlin?”"],
    ["the meeting moved to 2026-11-23", "“the meeting moved to 2026-11-23”"],
    ["2026-11-23", "You wrote: “2026-11-23”"],
    ["I like this picture", "You wrote: “I like this picture”"],
  ])("answers %j sensibly", async (question, words) => {
    expect((await ask([question])).text).toContain(words);
  });

  it("offers choices and takes the press", async () => {
    const { answer, text } = await ask(["offer me choices"]);
    expect(answer.buttons?.map((button) => button.label)).toEqual(["Tea", "Coffee", "Surprise me"]);
    expect(text).toContain("Which one");
    const press = { parts: [{ kind: "press" as const, button: "Tea", label: "Tea" }] };
    expect((await ask([press])).text).toContain("You chose **Tea**");
  });

  it("sends a file and a picture that are what they say", async () => {
    const file = await ask(["please send me a file"]);
    expect(file.answer.parts[1]).toMatchObject({ kind: "file", name: "demo.txt", type: "text/plain" });
    const picture = await ask(["can you send me a picture?"]);
    expect(picture.answer.parts[1]).toMatchObject({ kind: "image", name: "demo.png", type: "image/png" });
    const png = [...picture.blobs.stored.values()][0];
    expect(png?.subarray(1, 4).toString()).toBe("PNG");
    expect(png?.readUInt32BE(16)).toBe(240);
  });

  it("says what it got", async () => {
    const image = { kind: "image" as const, source, type: "image/png", name: "photo.png", size: 123_000 };
    expect((await ask([{ parts: [image] }])).text).toContain("I got photo.png, 123 kB.");
    const place = { kind: "location" as const, latitude: 52.5, longitude: 13.4, name: "Home" };
    expect((await ask([{ parts: [place] }])).text).toContain("52.5, 13.4 (Home)");
    const contact = { kind: "contact" as const, name: "Bob", phone: "+49 30" };
    expect((await ask([{ parts: [contact] }])).text).toContain("contact Bob, +49 30");
  });

  it("says that it could not hear", async () => {
    const voice = { kind: "voice" as const, source, type: "audio/ogg", duration: 3 };
    const { text } = await ask([{ parts: [voice] }]);
    expect(text).toContain("I could not hear your recording");
    expect(text).not.toContain("I got");
  });

  it("remembers what was said, from the history and the summary", async () => {
    const history = [said("user", "my cat is called Tom"), said("agent", "Fine."), said("user", "I live in Rome")];
    const { text } = await ask(["what did I say before?"], [...history, said("agent", "Fine.")]);
    expect(text).toContain("my cat is called Tom");
    expect(text).toContain("I live in Rome");
    expect((await ask(["what did I say before?"], [])).text).toContain("nothing before this");
  });

  it("answers merged messages together, each", async () => {
    const { text } = await ask(["what is 2+2", "my order m-7-1", "and the other, m-7-2"]);
    expect(text).toContain("**4**");
    expect(text).toContain("m-7-1");
    expect(text).toContain("m-7-2");
  });

  it("writes a long story, and streams it", async () => {
    const { agent } = agentOn(createDemoModel(clock, { wordDelayMs: 0 }), {}, { clock });
    const shown: string[] = [];
    const { answer } = await agent.run(turn(["write a long story"]), hooks({ onText: (text) => shown.push(text) }));
    expect(textOf(answer).length).toBeGreaterThan(4_000);
    expect(shown.length).toBeGreaterThan(50);
    expect(shown.at(-1)).toBe(textOf(answer));
  });

  it("gives the same answer to the same request", async () => {
    for (const question of ["write a long story", "hello", "send me a picture"]) {
      expect((await ask([question])).answer).toEqual((await ask([question])).answer);
    }
  });

  it("says when a tool is not switched on", async () => {
    expect((await ask(["what time is it?"], undefined, { tools: [] })).text).toContain("not switched on");
  });

  it("summarizes by extracts, within bounds", async () => {
    const { agent } = agentOn(createDemoModel(clock));
    const { signal } = new AbortController();
    let summary: string | undefined;
    for (let round = 0; round < 30; round += 1) {
      const items = [said("user", `Fact ${round} is here. And more words.`), said("agent", "Noted.")];
      summary = await agent.summarize({ summary, items, signal });
    }
    expect(summary).toContain("- Fact 29 is here.");
    expect(summary).not.toContain("more words");
    expect(summary?.length).toBeLessThan(2_000);
  });

  it("stops when it is aborted", async () => {
    const controller = new AbortController();
    const { agent } = agentOn(createDemoModel(clock, { wordDelayMs: 20 }), {}, { clock });
    const shown: string[] = [];
    const onText = (text: string) => {
      shown.push(text);
      controller.abort(new Error("enough"));
    };
    const running = agent.run(turn(["write a long story"]), hooks({ signal: controller.signal, onText }));
    await expect(running).rejects.toThrow("enough");
    const seen = shown.length;
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(shown.length).toBeLessThanOrEqual(seen + 1);
  });

  it("writes of its own about a note of the gateway", async () => {
    const { agent } = agentOn(createDemoModel(clock, { wordDelayMs: 0 }), {}, { clock });
    const due = { ...message("water the plants"), note: { topic: "reminder" } };
    const { answer } = await agent.run(
      turn([due], { history: [said("user", "hi"), said("agent", "Hello!")] }),
      hooks(),
    );
    expect(textOf(answer)).toMatch(/^This is about reminder: “water the plants”/);
  });
});

describe("the calculator", () => {
  it.each([
    ["12*7+3", "87"],
    ["2+3*4^2/8-1", "7"],
    ["-2^2", "-4"],
    ["2^3^2", "512"],
    ["2^-1", "0.5"],
    ["0.1+0.2", "0.3"],
    ["1.5e3 % 7", "2"],
    ["sqrt(16) + max(1, 2, 3)", "7"],
    ["2 × (3 − 1) ÷ 4", "1"],
    ["2*pi", "6.28318530718"],
  ])("%s is %s", (expression, result) => {
    expect(formatNumber(calculate(expression))).toBe(result);
  });

  it.each([
    "",
    "2+",
    "(1",
    "1)",
    "a",
    "constructor(1)",
    "__proto__",
    "1/0",
    "9^9^9",
    "1 2",
    "2;3",
    `${"(".repeat(200)}1`,
  ])("%j is refused", (expression) => {
    expect(() => calculate(expression)).toThrow(InputError);
  });
});
