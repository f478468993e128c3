/**
 * Rival (b): Vercel's Chat SDK with its Telegram adapter and its Redis state, and the Agents SDK.
 *
 * Polling, as the others do; it also costs the SDK less than a webhook, which takes an HTTP request and a deduplication
 * key per message. "queue" is what its documentation recommends for agents. The history is its own thread history, which
 * the SDK fills by itself for Telegram.
 */
import { createRedisState } from "@chat-adapter/state-redis";
import { createTelegramAdapter } from "@chat-adapter/telegram";
// "chat/ai" would be the newer place of toAiMessages; it wants the AI SDK, which nothing here uses.
import { Chat, ConsoleLogger, toAiMessages } from "chat";
import { answer, historyItems, ready, required } from "./agent.ts";

const logger = new ConsoleLogger("warn");
const newest = historyItems + 1; // the new message stands in the history already

const telegram = createTelegramAdapter({
  botToken: required("TELEGRAM_BOT_TOKEN"),
  apiUrl: required("TELEGRAM_API_ROOT"),
  mode: "polling",
  logger,
});
// It would show typing for every message and has no setting for that; nobody shows it here within the model's time.
telegram.startTyping = async () => {};

const bot = new Chat({
  userName: "ascent_test_bot",
  adapters: { telegram },
  state: createRedisState({ url: required("REDIS_URL"), logger }),
  concurrency: "queue",
  history: { thread: { maxMessages: newest } },
  logger,
});

bot.onDirectMessage(async (thread, message, _channel, context) => {
  const { messages } = await bot.history.thread.list(thread.id, { limit: newest + (context?.skipped.length ?? 0) });
  const conversation = await toAiMessages(messages.length > 0 ? messages : [message]);
  const said = conversation.map(({ role, content }) => ({
    role,
    text:
      typeof content === "string"
        ? content
        : content.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("\n"),
  }));
  await thread.post(await answer(said));
});

await bot.initialize();
ready();

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.once(signal, () => void bot.shutdown().finally(() => process.exit(0)));
}
