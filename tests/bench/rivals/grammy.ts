/**
 * Rival (a): a Telegram bot written by hand with grammY and the Agents SDK. Long polling by grammY's own runner, chats in
 * parallel and each in order, 429 waited out, history in memory and lost with the process.
 */
import { autoRetry } from "@grammyjs/auto-retry";
import { run, sequentialize } from "@grammyjs/runner";
import { Bot } from "grammy";
import { answer, historyItems, ready, required, type Said } from "./agent.ts";

const bot = new Bot(required("TELEGRAM_BOT_TOKEN"), { client: { apiRoot: required("TELEGRAM_API_ROOT") } });
const histories = new Map<number, Said[]>();

bot.api.config.use(autoRetry());
bot.use(sequentialize((ctx) => ctx.chat?.id.toString()));

bot.on("message:text", async (ctx) => {
  const history = histories.get(ctx.chat.id) ?? [];
  const asked: Said = { role: "user", text: ctx.message.text };
  const text = await answer([...history, asked]);
  histories.set(ctx.chat.id, [...history, asked, { role: "assistant" as const, text }].slice(-historyItems));
  await ctx.reply(text);
});

bot.catch(({ error }) => console.error(error));
await bot.init();
const running = run(bot);
ready();

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.once(signal, () => void running.stop().finally(() => process.exit(0)));
}
