/** The world around a contender: Telegram and a model server, each a process of its own. */
import { connectOpenAiFake, type OpenAiControl } from "../fakes/openai.ts";
import { connectTelegramFake } from "../fakes/telegram.ts";
import type { TelegramDriver } from "../fakes/telegram/driver.ts";
import { within, type LaunchOptions, type Session } from "./session.ts";

/** What the model makes of older history when ours asks; by itself it would repeat all of it. */
const summary =
  "The person says hello, asks for more of the same and numbers each message. The assistant answers every one of them " +
  "by repeating it. Nothing was promised, and no question is open.";

export interface World {
  readonly telegramUrl: string;
  readonly modelUrl: string;
  readonly model: OpenAiControl;
  /** The people of one bot. */
  people(token: string): TelegramDriver;
}

/** One bot each, so that contenders share the servers and nothing else. */
export function tokenOf(bot: number): string {
  return `${1_000_001 + bot}:token-of-the-bench-bot-${bot}`;
}

export async function startWorld(session: Session, { bots = 1, latencyMs = 0 } = {}): Promise<World> {
  const tokens = Array.from({ length: bots }, (_, bot) => ["--token", tokenOf(bot)]).flat();
  const launch = async (name: string, args: readonly string[]): Promise<string> => {
    const options: LaunchOptions = { name, args: [`tests/fakes/${name}-server.ts`, ...args] };
    const line = await within(20_000, `the start of the ${name} fake`, session.launch(options).firstLine);
    return `http://127.0.0.1:${(JSON.parse(line) as { port: number }).port}`;
  };
  const [telegramUrl, modelUrl] = await Promise.all([
    launch("telegram", tokens),
    launch("openai", ["--latency-ms", String(latencyMs)]),
  ]);
  const model = connectOpenAiFake(modelUrl);
  // What asks for a summary has no turn. Without this the fake would tell all that was ever said, and prompts would grow.
  await model.rule({ pattern: "^$", reply: { text: summary } });
  return {
    telegramUrl,
    modelUrl: `${modelUrl}/v1`,
    model,
    people: (token) => connectTelegramFake(telegramUrl, token),
  };
}
