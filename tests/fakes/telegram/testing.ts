import { Bot, GrammyError } from "grammy";
import { onTestFinished } from "vitest";
import { startTelegramFake, type TelegramFake, type TelegramFakeOptions } from "../telegram.ts";

/** A fake that ends with the test, its webhook retries sped up fifty times. */
export async function start(options: TelegramFakeOptions = {}): Promise<TelegramFake> {
  const fake = await startTelegramFake({ webhookRetryUnitMs: 20, ...options });
  onTestFinished(() => fake.close());
  return fake;
}

export function botFor(fake: TelegramFake, token = fake.token): Bot {
  return new Bot(token, { client: { apiRoot: fake.url } });
}

/** Lets a grammY bot poll until the test ends. */
export function poll(bot: Bot): void {
  void bot.start({ allowed_updates: ["message", "callback_query"] });
  onTestFinished(() => bot.stop());
}

/** `<code> <description>` of a refused call, or whatever else became of it. */
export async function refusal(call: Promise<unknown>): Promise<string> {
  const outcome = await call.catch((error: unknown) => error);
  return outcome instanceof GrammyError ? `${outcome.error_code} ${outcome.description}` : String(outcome);
}
