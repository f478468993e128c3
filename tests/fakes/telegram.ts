import { controlCall, listen, sendText, serveControl } from "./http.ts";
import { createCommands, type Commands } from "./telegram/control.ts";
import { createDriver, type RunCommand, type TelegramDriver } from "./telegram/driver.ts";
import { createChatLimits, createFaults } from "./telegram/faults.ts";
import { createLog, type FakeLog } from "./telegram/log.ts";
import { createBotApi } from "./telegram/server.ts";
import { createWorld, type BotOptions } from "./telegram/world.ts";

export interface TelegramFakeOptions {
  /** Default 0: any free port. */
  readonly port?: number;
  /** Default: one bot with DEFAULT_TOKEN. Bots share the server and the log, nothing else. */
  readonly bots?: readonly BotOptions[];
  /** Seeds the faults that hit by chance. Default 1. */
  readonly seed?: number;
  /** Enforces Telegram's limits of messages per chat. Default false. */
  readonly limits?: boolean;
  /** What the Bot API counts in seconds between tries of a webhook, in milliseconds. Default 1000. */
  readonly webhookRetryUnitMs?: number;
  /** How long a webhook may take to answer. Default 60000. */
  readonly webhookTimeoutMs?: number;
}

/** A server that speaks the Telegram Bot API on loopback, and the people who talk to its bots. */
export interface TelegramFake extends TelegramDriver {
  readonly port: number;
  /** The API's root: grammY's `client.apiRoot`. */
  readonly url: string;
  readonly token: string;
  readonly log: FakeLog;
  /** The driver for another bot of this fake. */
  bot(token: string): TelegramDriver;
  close(): Promise<void>;
}

export const DEFAULT_TOKEN = "1000001:fake-token-of-the-test-bot";

export async function startTelegramFake(options: TelegramFakeOptions = {}): Promise<TelegramFake> {
  const log = createLog();
  const faults = createFaults(options.seed ?? 1);
  const bots = options.bots ?? [{ token: DEFAULT_TOKEN }];
  const worlds = new Map(bots.map((bot) => [bot.token, createWorld(bot, log)]));
  const commands = createCommands(worlds, log, faults);
  const botApi = createBotApi({
    worlds,
    log,
    faults,
    limit: options.limits === true ? createChatLimits(log.now) : undefined,
    webhookRetryUnitMs: options.webhookRetryUnitMs ?? 1_000,
    webhookTimeoutMs: options.webhookTimeoutMs ?? 60_000,
  });
  const server = await listen((request, response) => {
    if (botApi(request, response) || serveControl(commands, request, response)) return;
    sendText(response, 404, "Not Found", { "content-type": "text/plain" });
  }, options.port);

  const run = async (name: keyof Commands, request: object) =>
    (commands[name] as (request: object) => unknown)(request);
  const driverOf = (token?: string) => createDriver(run as RunCommand, token);
  return {
    ...driverOf(),
    port: server.port,
    url: server.url,
    token: bots[0]?.token ?? "",
    log,
    bot: driverOf,
    async close() {
      for (const world of worlds.values()) world.updates.close();
      await server.close();
    },
  };
}

/** The driver of a fake that runs in another process, at its root URL. */
export function connectTelegramFake(url: string, token?: string): TelegramDriver {
  return createDriver((name, request) => controlCall(url, name, request), token);
}
