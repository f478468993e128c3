/** A model that is slow, hangs, refuses or babbles: no second answer, the person is told, other conversations go on. */
import { expect, test } from "vitest";
import type { Failure, Reply } from "../fakes/openai/types.ts";
import { expectKept, openStage, runsOf, said, untilQuiet, type Stage } from "./stage.ts";

const failed = /^Sorry, I could not answer that/;
const timeout = /^Sorry, that took too long/;
const config = {
  agents: { assistant: { timeoutMs: 4_000, retries: 1 } },
  models: { timeoutSeconds: 20, retries: 1 },
};

interface Trouble {
  readonly name: string;
  readonly reply: Reply;
  /** Requests that are hit; after them the model is well. */
  readonly times: number;
  /** What the person reads, and whether it is the answer. */
  readonly says: RegExp;
  readonly answered: boolean;
  /** Requests of the model for the message. */
  readonly runs: number;
}
const failure = (of: Failure): Reply => ({ failure: of });
const answer = /^answer to: trouble \d m-/;

const troubles: readonly Trouble[] = [
  { name: "is slow", reply: { latencyMs: 2_500 }, times: 1, says: answer, answered: true, runs: 1 },
  { name: "hangs", reply: failure({ kind: "hang" }), times: 9, says: timeout, answered: false, runs: 1 },
  {
    name: "says 429 once",
    reply: failure({ kind: "status", status: 429, retryAfter: 1 }),
    times: 1,
    says: answer,
    answered: true,
    runs: 2,
  },
  {
    name: "says 500 on and on",
    reply: failure({ kind: "status", status: 500, retryAfter: 0.1 }),
    times: 99,
    says: failed,
    answered: false,
    runs: 2,
  },
  { name: "babbles once", reply: failure({ kind: "garbage" }), times: 1, says: answer, answered: true, runs: 2 },
  { name: "babbles on and on", reply: failure({ kind: "garbage" }), times: 99, says: failed, answered: false, runs: 2 },
  { name: "breaks off once", reply: failure({ kind: "half" }), times: 1, says: answer, answered: true, runs: 2 },
  { name: "breaks off on and on", reply: failure({ kind: "half" }), times: 99, says: failed, answered: false, runs: 2 },
];

test(
  "each trouble in its own chat: told once, answered at most once, the next message answered",
  { timeout: 60_000 },
  async () => {
    const stage = await openStage({ config });
    const { platform, model } = stage;
    const chats = troubles.map((trouble, at) => ({ ...trouble, chat: 100 + at, text: `trouble ${at}` }));
    for (const { text, reply, times } of chats) await model.rule({ contains: text, times, reply });
    for (const { chat, text } of chats) await platform.user(chat).sends(chat, `${text} m-${chat}-1`);
    const others = await platform.drive({ users: 4, turns: 10, firstUser: 20_000, lingerMs: 0 });
    expect(others.unanswered).toEqual([]);
    expect(others.p99).toBeLessThan(1_500);

    const excused = new Map(chats.filter(({ answered }) => !answered).map(({ chat, name }) => [`m-${chat}-1`, name]));
    await told(stage, chats);
    await untilQuiet(stage, { excused });
    await model.clearRules();
    for (const { chat } of chats) await platform.user(chat).sends(chat, `better m-${chat}-2`);
    await untilQuiet(stage, { excused });

    for (const { chat, name, says, runs } of chats) {
      const texts = said(stage, chat);
      expect.soft(texts, `a model that ${name}`).toHaveLength(2);
      expect.soft(texts[0], `a model that ${name}`).toMatch(says);
      expect.soft(texts[1]).toMatch(/^answer to: better/);
      const own = runsOf(stage, `m-${chat}-1`).filter(({ tokens }) => tokens.length === 1);
      expect.soft(own.length, `runs of a model that ${name}`).toBe(runs);
    }
    const wait = runsOf(stage, "m-102-1").map(({ at }) => at);
    expect((wait[1] ?? 0) - (wait[0] ?? 0)).toBeGreaterThan(950);
    expectKept(stage, { excused });
  },
);

test(
  "a model that hangs in the middle of its stream: the turn ends in time and the person is told",
  { timeout: 30_000 },
  async () => {
    const stage = await openStage({ config: { ...config, agents: { assistant: { timeoutMs: 2_500 } } } });
    const { platform, model } = stage;
    await model.rule({ contains: "drip", times: 1, reply: { tokensPerSecond: 1 } });
    await platform.user(7).sends(7, `drip ${"word ".repeat(60)} m-7-1`);
    await platform.waitForReply(7, ({ text }) => timeout.test(text ?? ""), { timeoutMs: 10_000 });
    await platform.user(7).sends(7, "next m-7-2");
    const excused = new Map([["m-7-1", "timeout"]]);
    await untilQuiet(stage, { excused });
    expect(said(stage, 7)).toHaveLength(2);
    expectKept(stage, { excused });
  },
);

test("a kill while the model hangs: the message is run again and answered once", { timeout: 30_000 }, async () => {
  const stage = await openStage();
  const { platform, model, gateway } = stage;
  await model.rule({ contains: "hang", times: 1, reply: failure({ kind: "hang" }) });
  await platform.user(7).sends(7, "hang m-7-1");
  await expect.poll(() => runsOf(stage, "m-7-1").length, { timeout: 5_000 }).toBe(1);
  await gateway.kill();
  await gateway.start();
  const began = performance.now();
  await platform.waitForReply(7, undefined, { timeoutMs: 10_000 });
  expect(performance.now() - began).toBeLessThan(4_000);
  await untilQuiet(stage);
  expect(said(stage, 7)).toEqual(["answer to: hang m-7-1"]);
  expectKept(stage);
});

async function told(stage: Stage, chats: readonly { chat: number; says: RegExp }[]): Promise<void> {
  for (const { chat, says } of chats) {
    await expect.poll(() => said(stage, chat).some((text) => says.test(text)), { timeout: 15_000 }).toBe(true);
  }
}
