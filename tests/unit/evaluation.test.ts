/** Cases, their rules, and tools that only answer what was recorded. */
import { assistantMessage, functionCall, ScriptedModel } from "@openai/agents/testing";
import { describe, expect, test } from "vitest";
import { casesIn, type Expectation } from "../../agents/evaluation/cases.ts";
import { evaluate } from "../../agents/evaluation/evaluate.ts";
import { play, type PlayedTurn } from "../../agents/evaluation/play.ts";
import { tableOf, type CaseResult } from "../../agents/evaluation/report.ts";
import { failuresOf } from "../../agents/evaluation/rules.ts";
import { evaluationSources } from "../../agents/evaluation/stubs.ts";
import { roleOf } from "../../agents/client/role.ts";
import { clientAgentSettings } from "../../agents/client/settings.ts";
import { printableLines } from "../../src/main/commands/printable.ts";
import { caseOf } from "../../src/feedback-operations.ts";
import type { ToolCall, ToolSource } from "../../src/tools.ts";
import { quiet, testClock } from "./client-agent.fixture.ts";
import { createModels } from "../../adapters/models/index.ts";

const turnOf = (answer: string, more: Partial<PlayedTurn> = {}): PlayedTurn => ({
  user: "?",
  answer,
  calls: [],
  doubts: [],
  inputTokens: 10,
  outputTokens: 5,
  ms: 20,
  ...more,
});
const expects = (given: object): Expectation | undefined =>
  casesIn([{ id: "a", turns: [{ user: "?", expect: given }] }])[0]?.turns[0]?.expect;
const wrong = (given: object, turn: PlayedTurn) => failuresOf(expects(given), turn);

describe("rules", () => {
  test.each([
    [{ contains: "SIX" }, "open until six", []],
    [{ contains: ["six", "seven"] }, "open until six", ['does not contain "seven"']],
    [{ matches: "^open" }, "open", []],
    [{ matches: "^open" }, "we open", ["does not match /^open/"]],
    [{ not: { matches: "^(a+)+$" } }, `${"a".repeat(5_000)}!`, []],
    [{ not: { contains: "sorry", matches: "\\d" } }, "Sorry, 3", ['contains "sorry"', "matches /\\d/"]],
    [{ json: { at: { "a.0.b": 1 } } }, '```json\n{"a":[{"b":1}]}\n```', []],
    [{ json: { at: { "a.b": 1 } } }, '{"a":{"b":2}}', ["has 2 at a.b, not 1"]],
    [{ json: {} }, "no", ["is no JSON, and has no block of it"]],
  ])("%j of %j: %j", (given, answer, failures) => expect(wrong(given, turnOf(answer))).toEqual(failures));

  test("of schemas, calls, tokens, time and doubts", () => {
    const schema = { type: "object", required: ["n"], properties: { n: { type: "number" } } };
    expect(wrong({ json: { schema } }, turnOf('{"n":1}'))).toEqual([]);
    expect(wrong({ json: { schema } }, turnOf('{"n":"1"}'))[0]).toContain("does not fit the schema at n");
    const calls = [{ tool: "bank__pay", args: { to: { name: "Ann", id: 7 }, amount: 5 } }];
    const paid = turnOf("", { calls });
    expect(wrong({ calls: [{ tool: "bank__*", args: { to: { name: "Ann" } } }] }, paid)).toEqual([]);
    expect(wrong({ calls: [{ tool: "bank__pay", args: { amount: 6 } }] }, paid)).toHaveLength(1);
    expect(wrong({ not: { calls: "bank__*" } }, paid)).toEqual(["called bank__*"]);
    expect(wrong({ tokens: 14, ms: 19, doubts: ["unsure"] }, turnOf(""))).toHaveLength(3);
    expect(wrong({ contains: "x" }, turnOf("", { failed: "the model is away" }))).toEqual([
      "no answer: the model is away",
    ]);
  });

  test("cases that are none say where", () => {
    expect(() => casesIn([{ id: "a", turns: [] }])).toThrow(/turns/);
    for (const unknown of ["(", "(?=a)", "(a)\\1"])
      expect(() => expects({ not: { matches: ["a", unknown] } })).toThrow(/no pattern of RE2.*backreferences/);
    const one = { id: "a", turns: [{ user: "x" }] };
    expect(() => casesIn([one, one])).toThrow("stands there twice: a");
    expect(() => casesIn([{ ...one, tools: { pay: { results: [] } } }])).toThrow(/no tool from outside/);
  });
});

describe("tools", () => {
  test("answer what was recorded, are really called where a pattern names them, and otherwise refuse", async () => {
    const called: string[] = [];
    const real: ToolSource = {
      name: "bank",
      needs: "person",
      list: async () => [
        { name: "pay", description: "", parameters: {}, effect: "once" },
        { name: "rate", description: "", parameters: {}, effect: "none" },
      ],
      call: async (name) => {
        called.push(name);
        return { text: "real" };
      },
    };
    const [of] = casesIn([
      {
        id: "a",
        turns: [{ user: "x" }],
        tools: {
          bank__balance: {
            results: [
              { where: { account: "a" }, text: "12" },
              { text: "0", failed: true },
            ],
          },
        },
      },
    ]);
    const [source] = evaluationSources(of?.tools ?? {}, [real], ["bank__rate"]);
    const call = (name: string, args: unknown) => source?.call(name, { args } as ToolCall);
    expect((await source?.list({} as never, AbortSignal.timeout(1)))?.map(({ name }) => name)).toEqual([
      "balance",
      "pay",
      "rate",
    ]);
    expect(await call("balance", { account: "a", x: 1 })).toEqual({ text: "12" });
    expect(await call("balance", {})).toEqual({ text: "0", failed: true });
    expect(await call("rate", {})).toEqual({ text: "real" });
    await expect(call("pay", {})).rejects.toThrow("no result is recorded");
    expect(called).toEqual(["rate"]);
  });
});

test("who is handed the conversation answers in it, and goes on to, as with people", async () => {
  const scripts: Record<string, ScriptedModel> = {
    triage: new ScriptedModel([[functionCall("transfer_to_support", {}, { callId: "c1" })]]),
    support: new ScriptedModel([[assistantMessage("Which order?")], [assistantMessage("It is on its way.")]]),
  };
  const roleOn = (name: string, given: object) =>
    [name, roleOf(name, clientAgentSettings.parse({ name, model: name, ...given }), quiet)] as const;
  const player = {
    name: "triage",
    roles: new Map([roleOn("triage", { handoffs: ["support"] }), roleOn("support", {})]),
    models: { getModel: (spec = "") => scripts[spec] ?? new ScriptedModel([]) },
    clock: testClock(),
    log: quiet,
    real: [],
    mayRun: [],
  };
  const [of] = casesIn([{ id: "late", turns: [{ user: "my order is late" }, { user: "number 7" }] }]);
  const played = of && (await play(of, player, new AbortController().signal));
  expect(played?.map(({ answer }) => answer)).toEqual(["Which order?", "It is on its way."]);
  expect(played?.[0]?.calls.map(({ tool }) => tool)).toEqual(["transfer_to_support"]);
});

test("cases are played in their order on the demo model, several at once, and what is known is not played again", async () => {
  const models = createModels({ demo: {} }, { clock: testClock() });
  const cases = casesIn(
    Array.from({ length: 6 }, (_, n) => ({
      id: `c${n}`,
      turns: [{ user: `what is ${n}*7+3`, expect: { contains: String(n * 7 + 3), calls: [{ tool: "calculate" }] } }],
    })),
  );
  const roles = new Map([["a", roleOf("a", clientAgentSettings.parse({}), quiet)]]);
  const candidate = { name: "a", roles, models, clock: testClock(), log: quiet, real: [], mayRun: [] };
  const done: CaseResult[] = [];
  const options = {
    cases,
    candidate,
    jobs: 3,
    digestOf: ({ id }: { id: string }) => id,
    done: async (one: CaseResult) => void done.push(one),
    signal: new AbortController().signal,
  };
  const results = await evaluate({ ...options, known: new Map() });
  expect(results.map(({ id, pass, failures }) => [id, pass, failures])).toEqual(cases.map(({ id }) => [id, true, []]));
  expect(done).toHaveLength(6);
  const known = new Map(results.slice(0, 4).map((one) => [one.digest, one]));
  expect(await evaluate({ ...options, known })).toHaveLength(6);
  expect(done).toHaveLength(8);
});

test("a table shows what was fixed and what was broken since an earlier report", () => {
  const one = (id: string, pass: boolean, answer = "x"): CaseResult => ({
    id,
    digest: id,
    turns: [turnOf(answer) as CaseResult["turns"][number]],
    failures: pass ? [] : ["is wrong"],
    pass,
  });
  const side = { agent: "a", model: "demo", version: "1" };
  const made = (cases: CaseResult[]) => ({ v: 1 as const, at: "2026-01-01T00:00:00.000Z", candidate: side, cases });
  const before = made([one("kept", true), one("mended", false), one("spoilt", true, "good")]);
  const after = made([one("kept", true), one("mended", true), one("spoilt", false, "bad"), one("fresh", true)]);
  const table = tableOf(after, { baseline: before, price: { input: 1, output: 10 } });
  expect(table).toContain("fixed");
  expect(table).toContain("BROKEN");
  expect(table).toContain('- "good"');
  expect(table).toContain("3 of 4 pass; 40 tokens in, 20 out, 0.0002");
  expect(table).toContain("1 fixed, 1 broken, 1 new");
});

test("a review becomes a case with what was said before it, and a rubric of what its reviewer said", () => {
  const items = [
    { role: "user" as const, text: "hi", at: 1 },
    { role: "agent" as const, text: "hello", at: 2 },
    { role: "user" as const, text: "when?", at: 3 },
    { role: "agent" as const, text: "never", at: 4, answer: true },
  ];
  const done = { by: "eve", at: 5, verdict: "bad" as const, expected: "until six" };
  const made = caseOf({ id: "ans_1", items, reasons: ["thumbs-down"], done });
  expect(casesIn([made])).toMatchObject(
    [{ history: [{ text: "hi" }, { text: "hello" }], turns: [{ user: "when?" }], rubric: /until six/ }].map((one) => ({
      ...one,
      rubric: expect.stringContaining("until six"),
    })),
  );
  expect(caseOf({ id: "ans_1", items, reasons: [], done: undefined as never })).toBeUndefined();
});

test("what models wrote keeps its lines on a terminal, and nothing that moves its cursor", () => {
  expect(printableLines("six\n\u001b[2Jseven\u202e", "  ")).toBe("six\n  \u{fffd}[2Jseven\u{fffd}");
});
