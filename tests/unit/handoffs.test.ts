import type { ModelProvider } from "@openai/agents";
import { ScriptedModel, assistantMessage, functionCall } from "@openai/agents/testing";
import { describe, expect, it } from "vitest";
import { mostHandoffs } from "../../agents/client/crew.ts";
import { createClientAgent } from "../../agents/client/index.ts";
import { roleOf, type Role } from "../../agents/client/role.ts";
import { clientAgentSettings } from "../../agents/client/settings.ts";
import type { TurnInput } from "../../src/agent.ts";
import type { TurnId } from "../../src/ids.ts";
import { hooks, memoryBlobs, quiet, rejection, testClock, turn } from "./client-agent.fixture.ts";

const text = (words: string) => [assistantMessage(words)];
let calls = 0;
const call = (name: string, args: Record<string, unknown> = {}) => [
  functionCall(name, args, { callId: `call_${++calls}` }),
];
const file = { name: "a.csv", type: "text/csv", content: "a", encoding: "text", caption: null };

/** Agents by name, each on a model of its own name. */
function crew(all: Readonly<Record<string, object>>, models: Readonly<Record<string, ScriptedModel>>) {
  const provider: ModelProvider = {
    getModel: (name = "") => models[name] ?? new ScriptedModel([text(`${name} says hello`)]),
  };
  const deps = { models: provider, clock: testClock({ speed: 100 }), blobs: memoryBlobs(), log: quiet };
  const settings = Object.entries(all).map(
    ([name, given]) => [name, clientAgentSettings.parse({ name: `The ${name}`, model: name, ...given })] as const,
  );
  const roles = new Map<string, Role>(settings.map(([name, own]) => [name, roleOf(name, own, quiet)]));
  const agents = new Map(
    settings.map(([name, own]) => [name, createClientAgent(own, { ...deps, name, roles: () => roles })]),
  );
  return {
    run: (name: string, input: TurnInput) => agents.get(name)?.run(input, hooks()) ?? Promise.reject(new Error(name)),
  };
}

const toolsOf = (model: ScriptedModel, at: number) =>
  (model.calls[at]?.request.tools ?? []).map((tool) => ("name" in tool ? tool.name : ""));
const handoffsOf = (model: ScriptedModel, at: number) =>
  (model.calls[at]?.request.handoffs ?? []).map(({ toolName }) => toolName);
const saidBy = ({ answer }: { answer: { parts: readonly object[] } }) => JSON.stringify(answer.parts);

describe("a handoff", () => {
  it("gives the turn to the other agent, with its instructions, its tools and all that was said", async () => {
    const triage = new ScriptedModel([call("transfer_to_support")]);
    const support = new ScriptedModel([text("What is the order's number?")]);
    const { run } = crew(
      {
        triage: { handoffs: ["support"], tools: ["calculate"] },
        support: { instructions: "You do orders.", tools: ["current_time"] },
      },
      { triage, support },
    );
    const output = await run("triage", turn(["my order is late"]));
    expect(output).toMatchObject({ by: "support" });
    expect(saidBy(output)).toContain("order's number");
    expect([handoffsOf(triage, 0), toolsOf(triage, 0)]).toEqual([["transfer_to_support"], ["calculate"]]);
    expect([handoffsOf(support, 0), toolsOf(support, 0)]).toEqual([[], ["current_time"]]);
    expect(support.firstCall?.request.systemInstructions).toMatch(/^You do orders\..*Your name is The support/s);
    expect(JSON.stringify(support.firstCall?.request.input)).toContain("my order is late");
  });

  it("is not made, and says no other name, where the agent answers itself", async () => {
    const { run } = crew({ triage: { handoffs: ["support"] }, support: {} }, {});
    const output = await run("triage", turn(["hello"]));
    expect(output.by).toBeUndefined();
    expect(saidBy(output)).toContain("triage says hello");
  });

  it("goes back to the one that made it, who is offered to the agent at work", async () => {
    const support = new ScriptedModel([call("transfer_to_triage")]);
    const { run } = crew({ triage: { handoffs: ["support"] }, support: {} }, { support });
    const output = await run("support", turn(["something else"], { handedBy: "triage" }));
    expect(handoffsOf(support, 0)).toEqual(["transfer_to_triage"]);
    expect(output.by).toBe("triage");
  });

  it("puts what is said under the guardrails of the one that says it", async () => {
    const triage = new ScriptedModel([call("transfer_to_support")]);
    const support = new ScriptedModel([text("It is Falcon.")]);
    const output = [{ check: "words", words: ["Falcon"], action: "refuse" }];
    const { run } = crew(
      { triage: { handoffs: ["support"] }, support: { guardrails: { output } } },
      { triage, support },
    );
    expect(await run("triage", turn(["what is it?"]))).toMatchObject({ by: "support", answer: { notice: "withheld" } });
  });

  it("puts what people wrote under the rules of the one that is handed it, before its model sees any of it", async () => {
    const handing = () => new ScriptedModel([call("transfer_to_support")]);
    const under = (check: object, support: ScriptedModel) =>
      crew(
        { triage: { handoffs: ["support"] }, support: { guardrails: { input: [check] } } },
        { triage: handing(), support },
      );
    const support = new ScriptedModel([text("Very well.")]);
    const refuse = { check: "words", words: ["Falcon"], action: "refuse" };
    expect(await under(refuse, support).run("triage", turn(["about Falcon"]))).toMatchObject({
      by: "support",
      answer: { notice: "withheld" },
    });
    expect(support.calls).toEqual([]);
    await under(refuse, support).run("triage", turn(["about owls"]));
    expect(support.calls).toHaveLength(1);
    const masking = new ScriptedModel([text("Very well.")]);
    await under({ ...refuse, action: "mask" }, masking).run("triage", turn(["about Falcon"]));
    expect(JSON.stringify(masking.firstCall?.request.input)).toContain("about ");
    expect(JSON.stringify(masking.firstCall?.request.input)).not.toContain("Falcon");
    const review = await under({ ...refuse, action: "review" }, support).run("triage", turn(["about Falcon"]));
    expect(review).toMatchObject({ by: "support", pause: { by: "operator", unshown: true } });
    const resume = { state: review.pause?.state ?? "", turn: "turn-1" as TurnId, approved: true };
    const passed = new ScriptedModel([text("Let through.")]);
    const history = [{ role: "user", text: "about Falcon", at: 0, turn: "turn-1" as TurnId } as const];
    const output = await under(refuse, passed).run("support", turn(["yes"], { resume, history }));
    expect(saidBy(output)).toContain("Let through.");
  });

  it("has a name of its own for the model, also where agents' names differ in what no model takes", async () => {
    const triage = new ScriptedModel([call("transfer_to_order_desk_2")]);
    const { run } = crew(
      { triage: { handoffs: ["order desk", "order.desk"] }, "order desk": {}, "order.desk": {} },
      { triage },
    );
    expect(await run("triage", turn(["my order"]))).toMatchObject({ by: "order.desk" });
    expect(handoffsOf(triage, 0)).toEqual(["transfer_to_order_desk", "transfer_to_order_desk_2"]);
  });

  it("is not offered any more after a few in a turn: who is at work then answers", async () => {
    const to = (name: string) => Array.from({ length: 9 }, () => call(`transfer_to_${name}`));
    const [a, b] = [new ScriptedModel(to("b")), new ScriptedModel(to("a"))];
    const agents = { a: { handoffs: ["b"], maxTurns: 20 }, b: { handoffs: ["a"] } };
    await rejection(crew(agents, { a, b }).run("a", turn(["hello"])));
    const offered = [...a.calls, ...b.calls].filter(({ request }) => request.handoffs.length > 0);
    expect(offered).toHaveLength(mostHandoffs);
  });
});

describe("a call that waits for a word, of an agent that was handed to", () => {
  const agents = (more: object = {}) => ({
    triage: { handoffs: ["support"], rules: [{ tool: "send_file", needs: "nothing" }] },
    support: { rules: [{ tool: "send_file", needs: "operator" }], approvalSeconds: 60, ...more },
  });

  async function paused() {
    const models = {
      triage: new ScriptedModel([call("transfer_to_support")]),
      support: new ScriptedModel([call("send_file", file)]),
    };
    const output = await crew(agents(), models).run("triage", turn(["the list"]));
    expect(output).toMatchObject({ by: "support", pause: { by: "operator", forMs: 60_000 } });
    return output.pause?.state ?? "";
  }
  const resume = (state: string) => ({
    handedBy: "triage",
    resume: { state, turn: "turn-1" as TurnId, approved: true },
  });

  it("is under that agent's rules, and goes on with that agent in another process", async () => {
    const support = new ScriptedModel([text("There it is.")]);
    const output = await crew(agents(), { support }).run("support", turn(["yes"], resume(await paused())));
    expect(saidBy(output)).toContain("a.csv");
    expect(saidBy(output)).toContain("There it is.");
  });

  it("goes on where the one that handed over does so no more", async () => {
    const state = await paused();
    const all = { ...agents(), triage: {} };
    const { handedBy: _handedBy, ...rest } = resume(state);
    const output = await crew(all, { support: new ScriptedModel([text("Done.")]) }).run("support", turn(["yes"], rest));
    expect(saidBy(output)).toContain("a.csv");
  });

  it("does not go on where that one is gone: said, and not done", async () => {
    const state = await paused();
    const { support } = agents();
    const error = await rejection(crew({ support }, {}).run("support", turn(["yes"], resume(state))));
    expect(error.message).toContain("does not fit");
  });
});

it("a run that waited alone goes on after the agent has got others to hand over to", async () => {
  const alone = { support: { rules: [{ tool: "send_file", needs: "person" }] } };
  const model = new ScriptedModel([call("send_file", file)]);
  const { pause } = await crew(alone, { support: model }).run("support", turn(["the list"]));
  const more = { support: { ...alone.support, handoffs: ["sales"] }, sales: {} };
  const resume = { state: pause?.state ?? "", turn: "turn-1" as TurnId, approved: true };
  const output = await crew(more, { support: new ScriptedModel([text("Done.")]) }).run(
    "support",
    turn(["yes"], { resume }),
  );
  expect(saidBy(output)).toContain("a.csv");
});
