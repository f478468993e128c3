/** Who is said to have made a turn's answer, where answers are rated: the agent that spoke last, and nobody in the gateway's own turns. */
import { expect, test } from "vitest";
import type { AgentOf } from "../../src/agent-choice.ts";
import type { CallAgent } from "../../src/agent-calls.ts";
import type { AgentTraits, TurnOutput } from "../../src/agent.ts";
import type { AgentId, TurnId } from "../../src/ids.ts";
import type { InboundMessage, Made } from "../../src/message.ts";
import type { Serve } from "../../src/services.ts";
import { runTurn } from "../../src/turn-run.ts";
import { direct, memoryBlobs, message, quiet, testClock } from "./client-agent.fixture.ts";

const traits: AgentTraits = { whileRunning: "queue", turnTimeoutMs: 60_000, historyItems: 10 };
const said: TurnOutput = { answer: { parts: [{ kind: "text", text: "done", format: "markdown" }] } };
const command = (name: string) => message({ command: { name, args: "" } });

/** What the actor hears of the turn's end, with two agents of which the first answers. */
async function madeIn(from: InboundMessage, output: TurnOutput, served?: Awaited<ReturnType<Serve>>) {
  let made: Made | undefined | "unsaid" = "unsaid";
  const call = (async (_agent: unknown, method: string, of: { made?: Made }) => {
    if (method === "finish") ({ made } = of);
    return method === "take" ? { to: direct, history: [], messages: [from] } : "accepted";
  }) as unknown as CallAgent;
  const never = () => {
    throw new Error("not needed here");
  };
  const agentOf: AgentOf = (_to, { begunBy: name = "first" } = {}) => {
    const agent = { run: async () => output, summarize: never };
    return { name, title: name, agent, traits, made: { model: `model of ${name}`, version: name } };
  };
  const turn = { conversation: direct.conversation, turn: "t1" as TurnId, attempt: 1 };
  await runTurn(
    {
      call,
      clock: testClock(),
      log: quiet,
      blobs: memoryBlobs(),
      agentOf,
      channelOf: () => undefined,
      approvals: { want: never, close: never },
      takeovers: { mayAsk: () => true, want: async () => ({ until: 1, known: false }), over: never },
      serve: async () => served,
      switchAgent: () => ({ answer: { parts: [], notice: "agentsHere" } }),
      tellAlive: false,
    },
    { agent: "person:1" as AgentId, turn, to: direct, abort: new AbortController(), asking: new Set() },
  );
  return made;
}

test("who was handed the conversation, and answers, made the answer", async () => {
  expect(await madeIn(message("hi"), said)).toMatchObject({ turn: "t1", agent: "first", version: "first" });
  const handed = await madeIn(message("hi"), { ...said, by: "second", doubts: ["unsure"] });
  expect(handed).toEqual({
    turn: "t1",
    agent: "second",
    model: "model of second",
    version: "second",
    doubts: ["unsure"],
  });
});

test("an agent that leaves the conversation to a person was at work; where the person asked for one nobody was", async () => {
  const leaves: TurnOutput = { answer: { parts: [] }, handsOver: { reason: "angry" }, doubts: ["handed-over"] };
  expect(await madeIn(message("hi"), leaves)).toMatchObject({ agent: "first", doubts: ["handed-over"] });
  expect(await madeIn(command("person"), said, { handsOver: { reason: "" } })).toBeUndefined();
});

test("what the gateway's commands answer is made by nobody", async () => {
  expect(await madeIn(command("usage"), said, { parts: [], notice: "usageList" })).toBeUndefined();
  expect(await madeIn(command("agent"), said)).toBeUndefined();
});
