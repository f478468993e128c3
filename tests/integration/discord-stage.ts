/** A stage for the real gateway with Discord: a Discord and a model on loopback, and the judgement of what they saw. */
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { onTestFailed, onTestFinished } from "vitest";
import { startDiscordFake, type DiscordFake, type DiscordFakeOptions } from "../fakes/discord.ts";
import type { Message } from "../fakes/discord/types.ts";
import { startOpenAiFake, type OpenAiFake } from "../fakes/openai.ts";
import { tokensIn } from "../fakes/tokens.ts";
import { createGateway, type GatewayProcess } from "./gateway-process.ts";

export interface DiscordStage {
  readonly discord: DiscordFake;
  readonly model: OpenAiFake;
  readonly gateway: GatewayProcess;
}

export interface DiscordStageOptions extends DiscordFakeOptions {
  /** Laid over the account's settings. */
  readonly account?: Readonly<Record<string, unknown>>;
  /** The agent's settings. */
  readonly agent?: Readonly<Record<string, unknown>>;
  /** Laid over the configuration. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Interactions are posted to the gateway. */
  readonly webhook?: boolean;
}

/** Builds the stage and starts the gateway. All of it ends with the test, and a failed test prints the gateway's log. */
export async function openDiscord(options: DiscordStageOptions = {}): Promise<DiscordStage> {
  const token = `MTAw.canary.${randomBytes(16).toString("hex")}`;
  const apiKey = `sk-canary-${randomBytes(12).toString("hex")}`;
  const discord = await startDiscordFake({ token, ...options });
  const model = await startOpenAiFake({ apiKey, models: ["test"] });
  const gateway = await createGateway({
    config: {
      channels: { web: { main: { enabled: false } }, discord: { main: options.account ?? {} } },
      models: { timeoutSeconds: 20, retries: 1 },
      ...(options.agent === undefined ? {} : { agents: { assistant: options.agent } }),
      server: { graceSeconds: 5 },
      ...options.config,
    },
    env: () => ({
      ASCENT_CONFIG: "ascent.yaml",
      ASCENT_MODEL: "compatible:test",
      OPENAI_BASE_URL: model.baseURL,
      OPENAI_API_KEY: apiKey,
      DISCORD_TOKEN: token,
      DISCORD_API_ROOT: discord.apiRoot,
      ...(options.webhook === true ? { DISCORD_PUBLIC_KEY: discord.publicKey } : {}),
    }),
  });
  if (options.webhook === true) discord.endpoint(`${gateway.url}/webhooks/discord`);
  onTestFailed(() => console.error("the gateway's log ends:", gateway.tail()));
  onTestFinished(async () => {
    await gateway.close();
    await Promise.all([discord.close(), model.close()]);
  });
  await gateway.start();
  return { discord, model, gateway };
}

/** The bot's messages in a channel as they are now, without what is only a draft or a deferral. */
export function said({ discord }: Pick<DiscordStage, "discord">, channel: string): readonly Message[] {
  return discord.messages(channel).filter(({ author, content, attachments }) => {
    return author.id === discord.me && !content.endsWith("▌") && (content !== "" || attachments.length > 0);
  });
}

/** The texts of {@link said}. */
export function texts(stage: Pick<DiscordStage, "discord">, channel: string): string[] {
  return said(stage, channel).map(({ content }) => content);
}

/**
 * What the promise forbids, one line each: a message with a token that is not answered exactly once in its channel, answers
 * out of the order in which one channel was written in, a draft that was left, somebody notified, a secret in the log.
 */
export function wrongWith({ discord, gateway }: DiscordStage, channels: readonly string[]): string[] {
  const wrong = channels.flatMap((channel) => {
    const asked = discord
      .messages(channel)
      .filter(({ author }) => author.id !== discord.me)
      .flatMap(({ content }) => tokensIn(content));
    const answers = said({ discord }, channel).map(({ content }) => tokensIn(content));
    const order = answers.flat().filter((token, at, all) => all.indexOf(token) === at);
    const covers = (token: string) => answers.filter((answer) => answer.includes(token)).length;
    return [
      ...asked.flatMap((token) => (covers(token) === 1 ? [] : [`${token} has ${covers(token)} answers`])),
      ...(isOrdered(answers, asked) ? [] : [`answers out of order: ${order.join(" ")}`]),
      ...discord.messages(channel).flatMap(({ content }) => (content.endsWith("▌") ? ["a draft was left"] : [])),
      ...discord
        .messages(channel)
        .flatMap(({ author, pinged }) =>
          author.id === discord.me && pinged.length > 0 ? ["somebody was notified"] : [],
        ),
    ];
  });
  const output = gateway.output();
  const secrets = [discord.token, ...discord.interactions().map(({ token }) => token)];
  if (secrets.some((secret) => output.includes(secret))) wrong.push("the gateway's output holds a secret");
  if (tokensIn(output).length > 0) wrong.push("the gateway's output holds message text");
  return wrong;
}

/** An answer may cover several messages; none covers an earlier message than the answer before it. */
function isOrdered(answers: readonly (readonly string[])[], asked: readonly string[]): boolean {
  const places = answers.flatMap((tokens) => {
    // What was asked by a command stands in no message.
    const known = tokens.map((one) => asked.indexOf(one)).filter((at) => at >= 0);
    return known.length === 0 ? [] : [Math.max(...known)];
  });
  return places.every((place, at) => at === 0 || place > (places[at - 1] ?? -1));
}

/** Resolves when every message with a token is answered in its channel and nothing moves any more; at most `mostMs`. */
export async function untilAnswered(
  { discord, model }: DiscordStage,
  channels: readonly string[],
  mostMs = 45_000,
): Promise<void> {
  const until = performance.now() + mostMs;
  const open = (channel: string) => {
    const answered = new Set(texts({ discord }, channel).flatMap(tokensIn));
    return discord
      .messages(channel)
      .some(({ author, content }) => author.id !== discord.me && tokensIn(content).some((one) => !answered.has(one)));
  };
  for (let calm = 0, known = -1; calm < 4 && performance.now() < until; await sleep(100)) {
    const moved = discord.requests.length + model.log.length;
    calm = moved === known && !channels.some(open) ? calm + 1 : 0;
    known = moved;
  }
}
