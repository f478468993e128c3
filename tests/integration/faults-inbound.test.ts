/** What people and platforms do: the same update again, messages while nobody is there, floods, commands, edits. */
import { expect, test } from "vitest";
import { tokensIn } from "../fakes/tokens.ts";
import { eventually, inboundOf, expectKept, openStage, runsOf, said, untilQuiet } from "./stage.ts";

test("the same update ten times at once, and again after a kill, is answered once", async () => {
  const stage = await openStage({ by: "webhook" });
  const { platform, gateway } = stage;
  const first = await platform.user(7).sends(7, "hello m-7-1");
  await eventually("the webhook is set and has it", () => (platform.log.updates[0]?.deliveredAt.length ?? 0) > 0);
  expect(await platform.redeliver(first.updateId, 10)).toEqual(Array.from({ length: 10 }, () => 200));
  await untilQuiet(stage);
  expect(said(stage, 7)).toEqual(["answer to: hello m-7-1"]);

  await gateway.kill();
  await gateway.start();
  expect(await platform.redeliver(first.updateId, 10)).toEqual(Array.from({ length: 10 }, () => 200));
  await platform.user(7).sends(7, "hello m-7-2");
  expect(await platform.redeliver(first.updateId, 5)).toEqual([200, 200, 200, 200, 200]);
  await untilQuiet(stage);
  expect(said(stage, 7)).toEqual(["answer to: hello m-7-1", "answer to: hello m-7-2"]);
  expect(runsOf(stage, "m-7-1")).toHaveLength(1);
  expectKept(stage);
});

test.each(["polling", "webhook"] as const)(
  "what was sent while the gateway was down is answered once and in order, by %s",
  async (by) => {
    const stage = await openStage({ by });
    const { platform, gateway } = stage;
    await platform.user(50).sends(50, "hello m-50-1");
    await untilQuiet(stage);
    await gateway.kill();
    for (let n = 2; n < 8; n++)
      for (const user of [50, 51, 52]) await platform.user(user).sends(user, `hello m-${user}-${n}`);
    await gateway.start();
    await untilQuiet(stage);
    expectKept(stage);
    for (const user of [50, 51, 52]) {
      const order = said(stage, user).map((answer) =>
        Math.max(...tokensIn(answer).map((token) => Number(token.split("-")[2]))),
      );
      expect(order).toEqual(order.toSorted((a, b) => a - b));
      expect(order.at(-1)).toBe(7);
    }
  },
);

test("messages that come while a turn runs are answered together by the next", async () => {
  const stage = await openStage();
  const { platform, model } = stage;
  await model.rule({ contains: "slow", times: 1, reply: { latencyMs: 1_200 } });
  await platform.user(7).sends(7, "slow m-7-1");
  await eventually("the first turn runs", () => model.log.length === 1);
  await platform.user(7).sends(7, "and m-7-2");
  await platform.user(7).sends(7, "also m-7-3");
  await untilQuiet(stage);
  expect(said(stage, 7)).toEqual(["answer to: slow m-7-1", "answer to: also m-7-3 (with m-7-2)"]);
  expectKept(stage);
});

test("a chat that floods is answered in order and holds up nobody else", { timeout: 60_000 }, async () => {
  // No summaries, whose requests would be taken for turns.
  const stage = await openStage({ config: { agents: { assistant: { context: { historyItems: 1_000 } } } } });
  const { platform, model } = stage;
  await model.pace({ latencyMs: 100 });
  const before = await platform.drive({ users: 8, turns: 5, firstUser: 20_000 });
  const flood = Array.from({ length: 400 }, (_, n) => platform.user(7).sends(7, `flood m-7-${n + 1}`));
  const [during] = await Promise.all([platform.drive({ users: 8, turns: 5, firstUser: 30_000 }), ...flood]);
  stage.note(`others' p99: ${before.p99} ms before, ${during.p99} ms during the flood`);
  expect(during.unanswered).toEqual([]);
  expect(during.p99).toBeLessThan(before.p99 * 5 + 5_000);
  await untilQuiet(stage);
  expectKept(stage);
  const covered = said(stage, 7).flatMap((answer) => tokensIn(answer).length);
  expect(covered.reduce((sum, count) => sum + count, 0)).toBe(400);
});

test.each([
  ["stop", "Stopped.", true],
  ["reset", "Done: I have forgotten our conversation", false],
] as const)(
  "/%s during a turn ends it, sets aside what waits, and what comes next is answered",
  async (name, words, remembers) => {
    const stage = await openStage();
    const { platform, model } = stage;
    await platform.user(7).sends(7, "first m-7-1");
    await untilQuiet(stage);
    await model.rule({ contains: "slow", times: 1, reply: { latencyMs: 20_000 } });
    await platform.user(7).sends(7, "slow m-7-2");
    await eventually("the turn runs", () => model.log.length === 2);
    await platform.user(7).sends(7, "waiting m-7-3");
    await platform.user(7).sends(7, `/${name}`);
    await platform.waitForReply(7, (call) => call.text?.startsWith(words) ?? false);
    await eventually("the model is hung up on", () => model.log[1]?.outcome === "aborted");
    await platform.user(7).sends(7, "next m-7-4");
    const excused = new Map([
      ["m-7-2", name],
      ["m-7-3", name],
    ]);
    await untilQuiet(stage, { excused });
    expect(said(stage, 7).filter((text) => !text.startsWith(words))).toEqual([
      "answer to: first m-7-1",
      "answer to: next m-7-4",
    ]);
    expectKept(stage, { excused });
    const asked = model.log.at(-1);
    expect((asked?.messages ?? 0) > 4).toBe(remembers);
  },
);

test("an edit during the turn is what gets answered, once; an edit after the answer starts nothing", async () => {
  const stage = await openStage();
  const { platform, model } = stage;
  await model.rule({ contains: "typo", reply: { latencyMs: 1_500 } });
  const sent = await platform.user(7).sends(7, "typo m-7-1");
  await eventually("the turn runs", () => model.log.length === 1);
  await platform.user(7).edits(7, sent.messageId, "corrected m-7-1");
  await untilQuiet(stage);
  expect(said(stage, 7)).toEqual(["answer to: corrected m-7-1"]);
  expect(model.log[0]?.outcome).toBe("aborted");

  await platform.user(7).edits(7, sent.messageId, "corrected again m-7-1");
  await platform.user(7).sends(7, "next m-7-2");
  await untilQuiet(stage);
  expect(said(stage, 7)).toEqual(["answer to: corrected m-7-1", "answer to: next m-7-2"]);
  expectKept(stage);
  expect(inboundOf(stage)).toHaveLength(2);
});

test("an edit of a message that waits behind a turn, and edits through a kill, are answered once with the last words", async () => {
  const stage = await openStage();
  const { platform, model, gateway } = stage;
  await model.rule({ contains: "slow", times: 1, reply: { latencyMs: 3_000 } });
  await platform.user(7).sends(7, "slow m-7-1");
  await eventually("the turn runs", () => model.log.length === 1);
  const waiting = await platform.user(7).sends(7, "typo m-7-2");
  await platform.user(7).edits(7, waiting.messageId, "better m-7-2");
  await eventually("the edit is acknowledged", () =>
    platform.log.updates.every(({ confirmedAt }) => confirmedAt !== undefined),
  );
  await gateway.kill();
  await model.pace({ latencyMs: 1_500 });
  await platform.user(7).edits(7, waiting.messageId, "best m-7-2");
  await gateway.start();
  await untilQuiet(stage);
  const answers = said(stage, 7).join("\n");
  expect(answers).toContain("best m-7-2");
  expect(answers).not.toContain("typo");
  expectKept(stage);
});
