import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { Bot } from "grammy";
import OpenAI from "openai";
import { expect, onTestFinished, test } from "vitest";
import { checkInvariants, checkModelRequests, telegramInbound, telegramOutbound } from "./invariants.ts";
import { connectOpenAiFake } from "./openai.ts";
import { connectTelegramFake, DEFAULT_TOKEN } from "./telegram.ts";

/** Runs a fake as its own process and gives its root URL. */
async function launch(script: string): Promise<{ url: string; stop(): Promise<unknown> }> {
  const child = spawn(process.execPath, [`${import.meta.dirname}/${script}`], { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  const [line] = (await once(createInterface(child.stdout), "line")) as [string];
  const stop = async () => {
    child.kill("SIGTERM");
    return (await once(child, "exit"))[0] as unknown;
  };
  return { url: `http://127.0.0.1:${(JSON.parse(line) as { port: number }).port}`, stop };
}

test("a bot between both fakes, each in its own process, keeps the invariants; a faulty one is found out", async () => {
  const [telegram, openai] = await Promise.all([launch("telegram-server.ts"), launch("openai-server.ts")]);
  const platform = connectTelegramFake(telegram.url);
  const model = connectOpenAiFake(openai.url);
  const client = new OpenAI({ baseURL: `${openai.url}/v1`, apiKey: "key" });
  const bot = new Bot(DEFAULT_TOKEN, { client: { apiRoot: telegram.url } });
  bot.on("message:text", async (ctx) => {
    const { output_text } = await client.responses.create({ model: "fake-model", input: ctx.message.text });
    await ctx.reply(output_text);
    if (ctx.message.text.includes("twice")) await ctx.reply(output_text);
  });
  void bot.start();

  const driven = await platform.drive({ users: 5, turns: 4, lingerMs: 0 });
  expect(driven).toMatchObject({ answered: 20, duplicates: 0, orderViolations: 0 });
  const judge = async () =>
    checkInvariants(telegramInbound(await platform.updates()), telegramOutbound(await platform.calls()));
  await expect
    .poll(async () => (await judge()).text)
    .toBe("kept: 20 inbound, 20 acknowledged, 20 answered, 0 merged, 0 excused, 0 duplicates");
  expect(checkModelRequests(await model.requests())).toEqual([]);

  await platform.user(7001).sends(7001, "twice m-7001-1");
  await platform.user(7001).sends(7001, "hello m-7001-2");
  await platform.waitForReply(7001, (call) => call.text?.includes("m-7001-2") ?? false);
  expect((await judge()).violations).toEqual([{ invariant: "I3", detail: "1 duplicate sends, 0 allowed" }]);

  await bot.stop();
  expect(await Promise.all([telegram.stop(), openai.stop()])).toEqual([0, 0]);
});
