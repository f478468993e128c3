/** An agent that comes back over its rows tells of the answers that it forgets: who delivered them may have died before. */
import { expect, test } from "vitest";
import type { AgentTraits } from "../../src/agent.ts";
import { InfrastructureError } from "../../src/errors.ts";
import type { AgentId } from "../../src/ids.ts";
import type { AgentState } from "../../src/state.ts";
import type { TellAnswered } from "../../src/tell-answered.ts";
import { direct, message } from "./client-agent.fixture.ts";
import { openShell } from "./shell.fixture.ts";

const traits: AgentTraits = { whileRunning: "queue", turnTimeoutMs: 60_000, historyItems: 10 };
const made = { turn: "t1", agent: "assistant", model: "demo", version: "1", doubts: ["unsure"] };

const life = (rows: Map<string, unknown>, tellAnswered: TellAnswered) =>
  openShell("person:1" as AgentId, rows, { traitsOf: () => traits, tellAnswered });

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
