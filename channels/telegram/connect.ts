/** Polling and webhook: how updates come, and when Telegram is told that they have. */
import type { ChannelDeps, Connection } from "../../src/channel.ts";
import { languages, offered, type Command, type Language } from "../../src/commands.ts";
import { reasonOf } from "../../src/errors.ts";
import { createWaits } from "../../src/waits.ts";
import { asSignal, type TelegramApi } from "./api.ts";
import { mapError, TokenRefusedError } from "./errors.ts";
import type { Intake } from "./intake.ts";
import { allowedUpdates } from "./parse.ts";
import type { TelegramOptions } from "./settings.ts";

/** @see https://core.telegram.org/bots/api#setmycommands */
const mostCommands = 100;

const menuIn = (language: Language, more: readonly Command[] = []) =>
  [...offered, ...more]
    .slice(0, mostCommands)
    .map(({ name, words }) => ({ command: name, description: words[language] }));

export interface Connector {
  connect(signal: AbortSignal): Promise<Connection>;
}

/** `idle` resolves when no update is being handed over: a webhook's connection ends with it. */
export function createConnector(
  deps: ChannelDeps,
  options: TelegramOptions,
  api: TelegramApi,
  intake: Intake,
  idle: () => Promise<void>,
): Connector {
  const { log } = deps;
  const waits = createWaits(deps.clock);
  const about = { channel: deps.channel, account: deps.account };
  const call = async <Result>(operation: string, run: () => Promise<Result>): Promise<Result> => {
    try {
      return await run();
    } catch (error) {
      throw mapError(error, operation, options.token);
    }
  };

  /** The first is for people of all other languages. */
  async function registerCommands(): Promise<void> {
    await api.calls.setMyCommands(menuIn("en", deps.commands));
    for (const language of languages)
      await api.calls.setMyCommands(menuIn(language, deps.commands), { language_code: language });
  }

  const insist = (operation: string, signal: AbortSignal, run: () => Promise<unknown>): Promise<unknown> =>
    waits.insist(
      signal,
      () => call(operation, run),
      (error) => log.warn({ ...about, reason: reasonOf(error) }, "telegram does not answer: trying again"),
    );

  async function poll(signal: AbortSignal): Promise<void> {
    let offset: number | undefined;
    let failures = 0;
    /** Telegram remembers the kinds of the last call that named them; after an error that may be another's. */
    let tell = true;
    while (!signal.aborted) {
      try {
        const asked = { timeout: options.pollSeconds, limit: 100, ...(offset === undefined ? {} : { offset }) };
        const kinds = tell ? { allowed_updates: allowedUpdates } : {};
        const updates = await call("getUpdates", () => api.polls.getUpdates({ ...asked, ...kinds }, asSignal(signal)));
        tell = false;
        const last = updates.at(-1);
        if (last !== undefined && (await handOver(updates, signal))) offset = last.update_id + 1;
        failures = 0;
      } catch (error) {
        if (signal.aborted) break;
        // A proxy or a restarting Bot API server may answer anything; only a refused token is final.
        if (error instanceof TokenRefusedError) throw error;
        failures += 1;
        tell = true;
        await explain(error, failures, signal);
      }
    }
    if (offset !== undefined) await confirm(offset);
  }

  /** Holds the batch until it is durable. False: no longer wanted, nothing may be confirmed. */
  async function handOver(updates: Parameters<Intake["accept"]>[0], signal: AbortSignal): Promise<boolean> {
    for (let failures = 0; ; failures += 1) {
      try {
        await intake.accept(updates);
        return true;
      } catch (error) {
        log.warn(
          { ...about, updates: updates.length, reason: reasonOf(error) },
          "telegram: updates not accepted, nothing is confirmed",
        );
        await waits.pause(error, failures, signal);
        if (signal.aborted) return false;
      }
    }
  }

  async function explain(error: unknown, failures: number, signal: AbortSignal): Promise<void> {
    const reason = reasonOf(error);
    if (!/: 409\b/.test(reason)) {
      log.warn({ ...about, reason }, "telegram: polling failed, trying again");
    } else if (/webhook/i.test(reason)) {
      log.warn({ ...about, reason }, "telegram: a webhook is set for this bot while it polls: removing it");
      await call("deleteWebhook", () => api.calls.deleteWebhook()).catch((failed: unknown) => {
        log.warn({ ...about, reason: reasonOf(failed) }, "telegram: the webhook could not be removed");
      });
    } else {
      log.warn(
        { ...about, reason },
        "telegram: another program polls with this bot's token: stop it, or give it a bot of its own",
      );
    }
    await waits.pause(error, failures, signal);
  }

  /** The offset is confirmed by the next call only; without it a restart would get the last batch again. */
  async function confirm(offset: number): Promise<void> {
    const deadline = asSignal(AbortSignal.timeout(5_000));
    await call("getUpdates", () => api.calls.getUpdates({ offset, limit: 1, timeout: 0 }, deadline)).catch(
      (error: unknown) => {
        log.info(
          { ...about, reason: reasonOf(error) },
          "telegram: the last offset was not confirmed, its updates will come again",
        );
      },
    );
  }

  return {
    async connect(signal) {
      await insist("getMe", signal, intake.identity);
      await call("setMyCommands", registerCommands).catch((error: unknown) => {
        log.warn({ ...about, reason: reasonOf(error) }, "telegram: the commands were not registered");
      });
      const { webhookUrl, webhookSecret } = options;
      if (webhookUrl !== undefined && webhookSecret !== undefined) {
        const set = {
          secret_token: webhookSecret,
          allowed_updates: allowedUpdates,
          max_connections: options.webhookConnections,
        };
        await insist("setWebhook", signal, () => api.calls.setWebhook(webhookUrl, set));
        const aborted = new Promise<void>((resolve) => {
          if (signal.aborted) resolve();
          else signal.addEventListener("abort", () => resolve(), { once: true });
        });
        return { closed: aborted.then(idle) };
      }
      await insist("deleteWebhook", signal, () => api.calls.deleteWebhook());
      const closed = poll(signal);
      closed.catch((error: unknown) => {
        log.error({ ...about, reason: reasonOf(error) }, "telegram: polling ended for good");
      });
      return { closed };
    },
  };
}
