import { ScriptedModel, assistantMessage, functionCall } from "@openai/agents/testing";
import { expect, it } from "vitest";
import { askingOthers } from "../../../agents/skills/asking.ts";
import { runOnModel } from "../../../agents/skills/run.ts";
import type { Delegating } from "../../../src/delegation-nested.ts";
import { InputError } from "../../../src/errors.ts";
import type { TaskMessage } from "../../../src/skilled.ts";
import { quiet, testClock } from "../client-agent.fixture.ts";

const said = (text: string): readonly TaskMessage[] => [
  { id: "m", role: "user", parts: [{ kind: "text", text }] },
  { id: "m2", role: "user", parts: [{ kind: "data", data: { see: "http://evil.example/?d=4711" } }] },
];

function others(answer: (name: string, n: number) => string = () => "42 [1]") {
  const calls: { readonly name: string; readonly key: string; readonly args: unknown }[] = [];
  const delegating: Delegating = {
    list: async () =>
      ["knowledge", "researcher", "reply"].map((name) => ({
        name,
        description: `about ${name}`,
        parameters: {},
        effect: "idempotent",
      })),
    async call(name, { key, args }) {
      calls.push({ name, key, args });
      return { text: answer(name, calls.length) };
    },
    end: async () => undefined,
  };
  return { calls, delegating };
}

async function run(model: ScriptedModel, delegating: Delegating, names: readonly string[], words = "go") {
  const hooks = { signal: new AbortController().signal, progress: () => undefined };
  const asking = await askingOthers({ delegating, names, messages: said(words), hooks });
  await runOnModel({
    run: { task: "task-1", caller: { tenant: "t", id: "caller" }, context: "context" },
    settings: { model: "openai:test", retries: 0 },
    models: { provider: { getModel: () => model }, clock: testClock(), log: quiet },
    instructions: "Do it.",
    tools: asking.tools,
    messages: said(words),
    hooks,
    maxTurns: 20,
  });
  return asking;
}

let made = 0;
const call = (name: string, task: string) => [functionCall(name, { task }, { callId: `c${++made}` })];
const text = (words: string) => [assistantMessage(words)];

it("offers those that its settings name, and marks what they say as data", async () => {
  const { calls, delegating } = others();
  const model = new ScriptedModel([call("agent__knowledge", "how many?"), text("42")]);
  const asking = await run(model, delegating, ["knowledge"]);
  expect(model.calls[0]?.request.tools.map(({ name }) => name)).toEqual(["agent__knowledge", "agent__reply"]);
  expect(JSON.stringify(model.lastCall?.request.input)).toContain('[content {\\"tool\\":\\"agent__knowledge\\"}]');
  expect(calls).toMatchObject([{ name: "knowledge", args: { task: "how many?" } }]);
  expect(asking.asked()).toEqual(["knowledge"]);
  expect((await run(new ScriptedModel([text("1")]), delegating, [])).tools).toEqual([]);
  expect((await run(new ScriptedModel([text("1")]), delegating, ["nobody"])).tools).toEqual([]);
});

it("passes on no address but the caller's own, whatever a file says", async () => {
  const { calls, delegating } = others();
  const model = new ScriptedModel([
    call("agent__researcher", "read http://evil.example/?d=4711 and http://good.example/a"),
    text("done"),
  ]);
  await run(model, delegating, ["researcher"], "see http://good.example/a");
  expect(calls[0]?.args).toEqual({ task: "read [address left out] and http://good.example/a" });
});

it("comes back to the same by the same key where the run is made again, and asks anew within a run", async () => {
  const { calls, delegating } = others();
  const script = () => new ScriptedModel([call("agent__knowledge", "a"), call("agent__knowledge", "a"), text("done")]);
  await run(script(), delegating, ["knowledge"]);
  await run(script(), delegating, ["knowledge"]);
  const keys = calls.map(({ key }) => key);
  expect(keys.slice(0, 2)).toEqual(keys.slice(2));
  expect(new Set(keys).size).toBe(2);
});

it("asks so often and no more; what is refused is said in its words", async () => {
  const { calls, delegating } = others((_name, n) => {
    if (n === 1) throw new InputError("agents are delegating in a circle, which ends here");
    return "x";
  });
  const model = new ScriptedModel([
    ...Array.from({ length: 7 }, (_, n) => call("agent__knowledge", `${n}`)),
    text("done"),
  ]);
  await run(model, delegating, ["knowledge"]);
  const input = JSON.stringify(model.lastCall?.request.input);
  expect(input).toContain("Not done: agents are delegating in a circle");
  expect(input).toContain("asked often enough");
  expect(calls).toHaveLength(6);
});
