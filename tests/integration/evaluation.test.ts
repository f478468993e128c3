/** `ascent eval` as a process, with a model on loopback: a worse and a better prompt are told apart. */
import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { startOpenAiFake } from "../fakes/openai.ts";
import type { Prompt } from "../fakes/openai/types.ts";
import { createGateway } from "./gateway-process.ts";

const cases = `
tools:
  shop__hours:
    description: opening hours of a day
    parameters: { type: object, properties: { day: { type: string } } }
    results:
      - { where: { day: monday }, text: "nine to six" }
cases:
  - id: hours
    turns:
      - user: when do you close
        expect: { contains: six, not: { contains: sorry } }
    rubric: It names the hour.
  - id: tool
    turns:
      - user: hours on monday
        expect: { calls: [{ tool: shop__hours, args: { day: monday } }], contains: nine to six }
  - id: refused
    turns:
      - user: hours on sunday
        expect: { contains: no result is recorded }
`;

/** The answer depends on the instructions; a judge prefers who names the hour, or whoever stands first. */
function reply(prompt: Prompt, biased: boolean) {
  const body = JSON.stringify(prompt.body);
  const question = prompt.turn.join("\n");
  if (prompt.model === "judge") {
    const given = JSON.parse(question.slice(question.indexOf("{"))) as { first?: object; second?: object };
    const hasHour = (of: unknown) => JSON.stringify(of).includes("at six");
    if (given.first === undefined)
      return { text: JSON.stringify({ reason: "it says so", score: hasHour(given) ? 5 : 1, pass: hasHour(given) }) };
    const [first, second] = [hasHour(given.first), hasHour(given.second)];
    const better = biased ? "first" : first === second ? "neither" : first ? "first" : "second";
    return { text: JSON.stringify({ reason: "clear", better }) };
  }
  if (question.includes("hours on")) {
    const day = question.includes("monday") ? "monday" : "sunday";
    if (prompt.toolOutputs.length > 0) return { text: prompt.toolOutputs.join(" ") };
    return { toolCalls: [{ name: "shop__hours", arguments: { day } }] };
  }
  if (question.includes("aaaa")) return { text: `${"a".repeat(60)}!` };
  return { text: body.includes("You know the hours") ? "We close at six." : "Sorry, I cannot say." };
}

const twoPrompts = () => ({ assistant: {}, better: { instructions: "You know the hours: until six." } });

/** @param agentsIn with files of the test's own folder. */
async function open(agentsIn: (home: string) => object = twoPrompts) {
  const model = await startOpenAiFake({ models: ["test", "judge"] });
  const state = { biased: false };
  model.script((prompt) => reply(prompt, state.biased));
  const home = await mkdtemp(join(tmpdir(), "ascent-eval-"));
  const gateway = await createGateway({
    config: { agents: agentsIn(home) },
    env: () => ({
      ASCENT_CONFIG: "ascent.yaml",
      ASCENT_MODEL: "compatible:test",
      OPENAI_BASE_URL: model.baseURL,
      OPENAI_API_KEY: "sk-of-the-tests",
    }),
  });
  onTestFinished(async () => {
    await gateway.close();
    await model.close();
  });
  const file = join(home, "cases.yaml");
  await writeFile(file, cases);
  const run = (...args: string[]) => gateway.ascent("eval", file, ...args);
  return { model, home, state, run, file };
}

test("a worse prompt fails, a better one passes, and the difference is shown", { timeout: 120_000 }, async () => {
  const { home, run } = await open();
  const worse = join(home, "worse.json");
  const first = await run("--judge", "compatible:judge", "--out", worse);
  expect(first.err).toBe("");
  expect(first.code).toBe(1);
  expect(first.out).toContain("FAIL  hours");
  expect(first.out).toContain('does not contain "six"');
  expect(first.out).toContain("2 of 3 pass");
  expect((await run("--judge", "compatible:judge", "--threshold", "0.6")).code).toBe(0);
  const unjudged = await run("--agent", "better", "--against", "assistant");
  expect(unjudged.out).toContain("1 with a rubric that nobody judged: name a model with --judge");
  expect(unjudged.out).toMatch(/against assistant .*, whose answers fit the rules in 2$/m);
  const second = await run("--agent", "better", "--judge", "compatible:judge", "--baseline", worse);
  expect(second).toMatchObject({ code: 0, err: "" });
  expect(second.out).toContain("fixed");
  expect(second.out).toContain("5.0/5");
  expect(second.out).toContain("1 fixed, 0 broken, 0 new");
  const instructions = join(home, "new.md");
  await writeFile(instructions, "You know the hours: until six.");
  expect((await run("--instructions", instructions, "--price", "1/2")).code).toBe(0);
});

test("two are compared in both orders: who stands first wins nothing by it", { timeout: 120_000 }, async () => {
  const { state, run } = await open();
  const against = ["--agent", "better", "--against", "assistant", "--judge", "compatible:judge"];
  const fair = await run(...against, "--samples", "2");
  expect(fair.out).toContain("better 4, worse 0, even 0");
  expect(fair.out).toMatch(
    /against assistant \(compatible:test, .{10}\), whose answers fit the rules in 2; better in 1, worse in 0 of 3/,
  );
  state.biased = true;
  const unfair = await run(...against);
  expect(unfair.out).toContain("better 1, worse 1, even 0");
  expect(unfair.out).toContain("better in 0, worse in 0 of 3");
});

test("a pattern takes no longer for being hostile, and one that is not known is refused before anything is played", async () => {
  const { model, run, file } = await open();
  const hostile = { id: "a", turns: [{ user: "aaaa", expect: { not: { matches: "^(a+)+$" } } }] };
  const cases = [hostile, { id: "b", turns: [{ user: "aaaa", expect: { matches: "^a+!$" } }] }];
  await writeFile(file, JSON.stringify(cases));
  expect((await run()).out).toContain("2 of 2 pass");
  const played = model.log.length;
  await writeFile(file, JSON.stringify([...cases, { id: "c", turns: [{ user: "x", expect: { matches: "(?=a)" } }] }]));
  const { code, err } = await run();
  expect(code).toBe(1);
  expect(err).toContain("knows neither backreferences nor lookaround");
  expect(err).toContain("cases[2].turns[0].expect.matches");
  expect(model.log.length).toBe(played);
}, 60_000);

test("one that was ended goes on, and what cannot be read says where", { timeout: 120_000 }, async () => {
  const { model, home, run, file } = await open();
  const out = join(home, "report.json");
  await run("--agent", "better", "--out", out);
  const { cases: all } = JSON.parse(await readFile(out, "utf8")) as { cases: object[] };
  // As a process that died left it, in the middle of a line.
  await writeFile(
    `${out}.partial`,
    `${all
      .slice(0, 2)
      .map((one) => JSON.stringify(one))
      .join("\n")}\n{"id":"ho`,
  );
  const before = model.log.length;
  expect((await run("--agent", "better", "--out", out)).code).toBe(0);
  // The third one takes a call and its answer.
  expect(model.log.length - before).toBe(2);
  expect((await run("--agent", "nobody")).err).toContain('there is no agent "nobody"; there are assistant, better');
  for (const option of ["--baseline", "--instructions"])
    expect((await run(option, "gone.json")).err).toContain("there is no file gone.json");
  expect((await run("--baseline", file)).err).toContain("is no report");
  await writeFile(file, "cases: [{ id: a, turns: [{ usr: x }] }]");
  const unread = await run();
  expect(unread.code).toBe(1);
  expect(unread.err).toContain("turns[0]");
});

test(
  "an agent in TypeScript is played with its instructions and its tools, which are not called",
  { timeout: 60_000 },
  async () => {
    const { model, home, run, file } = await open((folder) => ({ shop: { module: join(folder, "shop.mjs") } }));
    const define = JSON.stringify(new URL("../../agents/define.ts", import.meta.url).href);
    const zod = JSON.stringify(import.meta.resolve("zod"));
    await writeFile(
      join(home, "shop.mjs"),
      `import { defineAgent } from ${define};
import { z } from ${zod};
const hours = { description: "hours", parameters: z.object({ day: z.string() }), run: () => "really called" };
export default defineAgent({ instructions: () => "You know the hours.", tools: { hours } });
`,
    );
    model.script(({ body, toolOutputs }) => {
      if (toolOutputs.length > 0) return { text: toolOutputs.join(" ") };
      if (!JSON.stringify(body).includes("You know the hours")) return { text: "I know nothing." };
      return { toolCalls: [{ name: "own__hours", arguments: { day: "monday" } }] };
    });
    const written = { id: "a", turns: [{ user: "hours?", expect: { contains: "no result is recorded" } }] };
    await writeFile(file, JSON.stringify([written]));
    const played = await run();
    expect(played).toMatchObject({ code: 0, err: "" });
    const recorded = { own__hours: { results: [{ text: "nine to six" }] } };
    const second = { id: "b", tools: recorded, turns: [{ user: "hours?", expect: { contains: "nine to six" } }] };
    const third = { id: "c", turns: [{ user: "hours?", expect: { contains: "really called" } }] };
    await writeFile(file, JSON.stringify([second, third]));
    expect((await run()).out).toContain("1 of 2 pass");
    expect((await run("--run", "own__*")).out).toContain("2 of 2 pass");
  },
);
