/** An agent that comes back over its rows tells of the answers that it forgets: who delivered them may have died before. */
import { expect, test } from "vitest";
import type { AgentTraits } from "../../src/agent.ts";
import { clientAgents } from "../../src/client-agent.ts";
import { InfrastructureError } from "../../src/errors.ts";
import type { AgentId } from "../../src/ids.ts";
import type { ActorContext } from "../../src/ports.ts";
import type { AgentState } from "../../src/state.ts";
import type { TellAnswered } from "../../src/tell-answered.ts";
import { direct, message, quiet, testClock } from "./client-agent.fixture.ts";

const traits: AgentTraits = { whileRunning: "queue", turnTimeoutMs: 60_000, historyItems: 10 };
const made = { turn: "t1", agent: "assistant", model: "demo", version: "1", doubts: ["unsure"] };

async function life(rows: Map<string, unknown>, tellAnswered: TellAnswered) {
  const context: ActorContext = {
    id: "person:1" as AgentId,
    async load(keys) {
      return new Map(keys.flatMap((key) => (rows.has(key) ? [[key, structuredClone(rows.get(key))] as const] : [])));
    },
    async commit({ put = {}, remove = [] }) {
      for (const [key, value] of Object.entries(put)) rows.set(key, structuredClone(value));
      for (const key of remove) rows.delete(key);
      return { armed: true, published: Promise.resolve(true) };
    },
    arm: async () => true,
    disarm: async () => undefined,
  };
  return clientAgents({
    runtime: {
      bus: { ordered: true, isolated: true, publish: async () => undefined, subscribe() {} },
      actors: { exclusive: true, register() {}, call: async () => undefined },
      journal: { setAside: async () => undefined, list: async () => [] },
    },
    clock: testClock(),
    log: quiet,
    instance: "here",
    turns: { start() {}, cancel() {}, wake() {}, fold() {}, isRunning: () => true },
    call: async () => Promise.reject(new Error("it holds its own lock: it asks nobody")),
    traitsOf: () => traits,
    settled: async () => Number.MAX_SAFE_INTEGER,
    isStopping: () => false,
    tellAnswered,
  })(context);
}

test("what was delivered in an earlier life is told with what was said there, before the outbox forgets it", async () => {
  const rows = new Map<string, unknown>();
  const outbox = () => (rows.get("outbox") as AgentState["outbox"]).entries.length;
  const first = await life(rows, async () => undefined);
  await first.call("receive", { event: message("is it open?") });
  const active = (rows.get("inbox") as AgentState["inbox"]).threads[direct.conversation]?.turn;
  const of = { conversation: direct.conversation, turn: active?.id, attempt: active?.attempt };
  const { messages } = (await first.call("take", of)) as { messages: { id: string }[] };
  const answer = { parts: [{ kind: "text", text: "perhaps", format: "plain" }] };
  await first.call("finish", { ...of, messages: messages.map(({ id }) => id), answer, made });
  expect(outbox()).toBe(1);

  const away = await life(rows, () => Promise.reject(new InfrastructureError("the store is away")));
  await expect(away.call("receive", { event: message("hello?") })).rejects.toThrow("the store is away");
  expect(outbox()).toBe(1);

  const heard: unknown[] = [];
  const back = await life(rows, async (entries, hear) => {
    expect(entries).toMatchObject([{ seq: 1, made: { doubts: ["unsure"] } }]);
    const said = await hear?.(direct.conversation);
    heard.push(...(said === undefined || said === "stale" ? [] : said.items.map(({ text }) => text)));
  });
  expect(await back.call("receive", { event: message("hello?") })).toBe("accepted");
  expect(heard).toEqual(["is it open?", "perhaps"]);
  expect(outbox()).toBe(0);
});
