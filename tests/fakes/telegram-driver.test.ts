import { expect, test } from "vitest";
import { connectTelegramFake } from "./telegram.ts";
import { botFor, poll, start } from "./telegram/testing.ts";

const ANN = 7001;

test("a closed loop reports what was answered, how fast, and twice or out of order", async () => {
  const fake = await start();
  const bot = botFor(fake);
  bot.on("message:text", async (ctx) => {
    await ctx.reply(`answer ${ctx.message.text}`);
    if (ctx.message.text.endsWith("-2")) await ctx.reply(`again ${ctx.message.text}`);
  });
  poll(bot);
  const report = await fake.drive({ users: 3, turns: 4 });
  expect(report).toMatchObject({ sent: 12, answered: 12, unanswered: [], duplicates: 3, orderViolations: 0 });
  expect(report.latencies).toHaveLength(12);
});

test("another process drives it by the control API, byte for byte the same", async () => {
  const fake = await start();
  const bot = botFor(fake);
  bot.on("message:text", (ctx) => ctx.reply(`answer ${ctx.message.text}`));
  poll(bot);
  const remote = connectTelegramFake(fake.url);
  await remote.user(ANN).sends(ANN, "m-7001-1");
  expect((await remote.waitForReply(ANN, (call) => call.text?.includes("m-7001-1") ?? false)).text).toBe(
    "answer m-7001-1",
  );
  await expect(remote.waitForReply(ANN, () => false, { timeoutMs: 30 })).rejects.toThrow("no such reply");
  expect((await remote.drive({ users: 2, turns: 2, lingerMs: 0 })).answered).toBe(4);
  expect((await remote.updates()).length).toBe(5);
  await expect(remote.user(ANN).sends(7002, "x")).rejects.toThrow("a private chat has its person's id");
});
