/** From updates to `inbound`, the same for polling and webhook: durable, or set aside where the operator sees it. */
import type { Update } from "grammy/types";
import type { ChannelDeps } from "../../src/channel.ts";
import { fateOf, reasonOf } from "../../src/errors.ts";
import type { InboundEvent } from "../../src/message.ts";
import type { TelegramApi } from "./api.ts";
import { mapError } from "./errors.ts";
import { parse, type ParseContext } from "./parse.ts";
import type { TelegramOptions } from "./settings.ts";

export type Me = ParseContext["me"];

/** So often an update may fail with an error that is nobody's outage before it is set aside. */
const mostFailures = 5;
const keptMs = 30 * 24 * 60 * 60 * 1_000;

export interface Intake {
  /**
   * Resolves once every update is durable or set aside: only then may Telegram be told so.
   * @throws what `inbound` throws, and the errors of getMe: nothing may be acknowledged.
   */
  accept(updates: readonly Update[]): Promise<void>;
  /** The bot itself, asked for once. */
  identity(): Promise<Me>;
}

export function createIntake(deps: ChannelDeps, options: TelegramOptions, api: TelegramApi): Intake {
  const { inbound, records, log, clock } = deps;
  const failures = new Map<number, number>();
  let me: Me | undefined;

  async function identity(): Promise<Me> {
    if (me !== undefined) return me;
    try {
      const { id, username } = await api.calls.getMe();
      me = { id, username };
      return me;
    } catch (error) {
      throw mapError(error, "getMe", options.token);
    }
  }

  /** Under a key of its own, with the whole update: an operator can read it, and nothing waits for it. */
  async function setAside(update: Update, error: unknown): Promise<void> {
    const key = ["unparsed", deps.tenant, deps.channel, deps.account, String(update.update_id)]
      .map(encodeURIComponent)
      .join("/");
    const reason = reasonOf(error);
    await records.put(key, { v: 1, at: clock.now(), reason, update }, { ttlMs: keptMs });
    log.error(
      { channel: deps.channel, account: deps.account, updateId: update.update_id, record: key, reason },
      "telegram: update set aside",
    );
  }

  async function accept(updates: readonly Update[]): Promise<void> {
    const bot = await identity();
    const context = { ...deps, me: bot, groups: options.groups.answer, receivedAt: clock.now() };
    const events: InboundEvent[] = [];
    const unreadable: [Update, unknown][] = [];
    for (const update of updates) {
      try {
        const event = parse(update, context);
        if (event !== undefined) events.push(event);
      } catch (error) {
        unreadable.push([update, error]);
      }
    }
    if (events.length > 0) await inbound.accept(events);
    for (const [update, error] of unreadable) await setAside(update, error);
    for (const update of updates) answerPress(update);
  }

  /** Ends the progress shown on the button. Telegram forgets a press after seconds: failing is no loss. */
  function answerPress({ callback_query: query }: Update): void {
    if (query === undefined) return;
    api.calls.answerCallbackQuery(query.id).catch((error: unknown) => {
      log.debug(
        { reason: reasonOf(mapError(error, "answerCallbackQuery", options.token)) },
        "telegram: press not answered",
      );
    });
  }

  /** One by one, so that an update that can never be accepted holds up no other. */
  async function acceptEach(updates: readonly Update[], lastTry: boolean): Promise<void> {
    for (const update of updates) {
      try {
        await accept([update]);
      } catch (error) {
        if (!hopeless(error, lastTry)) throw error;
        await setAside(update, error);
      }
    }
  }

  function hopeless(error: unknown, lastTry: boolean): boolean {
    const fate = fateOf(error);
    return fate.kind === "terminal" || (fate.counts && lastTry);
  }

  return {
    identity,
    async accept(updates) {
      const [first] = updates;
      if (first === undefined) return;
      await identity(); // a wrong token is no fault of the update's
      try {
        await accept(updates);
        failures.delete(first.update_id);
      } catch (error) {
        const fate = fateOf(error);
        const failed = (failures.get(first.update_id) ?? 0) + (fate.kind === "retry" && fate.counts ? 1 : 0);
        if (failed > 0 && failures.size < 10_000) failures.set(first.update_id, failed);
        if (!hopeless(error, failed >= mostFailures)) throw error;
        await acceptEach(updates, failed >= mostFailures);
        failures.delete(first.update_id);
      }
    },
  };
}
