/** From updates to `inbound`, the same for polling and webhook: durable, or set aside where the operator sees it. */
import type { Update } from "grammy/types";
import type { ChannelDeps } from "../../src/channel.ts";
import { fateOf, InputError, reasonOf } from "../../src/errors.ts";
import { messageId } from "../../src/ids.ts";
import type { InboundEvent } from "../../src/message.ts";
import { createAlbums, type Parsed } from "./albums.ts";
import type { TelegramApi } from "./api.ts";
import { mapError } from "./errors.ts";
import { parse, type ParseContext } from "./parse.ts";
import { showChoice } from "./press.ts";
import type { TelegramOptions } from "./settings.ts";

export type Me = ParseContext["me"];

/** So often an update may fail with an error that is nobody's outage before it is set aside. */
const mostFailures = 5;
/** Before an album that could not be handed over is tried again. */
const againMs = 2_000;

export interface Intake {
  /**
   * Resolves once every update is durable or set aside: only then may Telegram be told so.
   * @throws what `inbound` throws, and the errors of getMe: nothing may be acknowledged.
   */
  accept(updates: readonly Update[]): Promise<void>;
  /**
   * One that was set aside, once more.
   * @throws InputError where it still cannot be read, and what `inbound` throws.
   */
  reread(update: Update): Promise<void>;
  /** Never rejects. Hands over albums that are not complete yet: of this process, or with `all` those that others left too. */
  settle(all: boolean): Promise<void>;
  /** The bot itself, asked for once. */
  identity(): Promise<Me>;
}

export function createIntake(deps: ChannelDeps, options: TelegramOptions, api: TelegramApi): Intake {
  const { inbound, log, clock } = deps;
  const failures = new Map<number, number>();
  const albums = createAlbums(deps, (key) => void handOverAlbum(key));
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

  /** With the whole update: an operator can read it, and nothing waits for it. */
  async function setAside(update: Update, error: unknown): Promise<void> {
    const { tenant, channel, account } = deps;
    const id = messageId(deps, "update", String(update.update_id));
    const reason = reasonOf(error);
    await inbound.setAside({ account: { tenant, channel, account }, id, raw: update, reason });
    log.error(
      { channel, account, updateId: update.update_id, reason },
      "telegram: update set aside and kept as a dead letter",
    );
  }

  /** Never rejects: what cannot be handed over now is tried again, also by the next process. */
  async function handOverAlbum(key: string): Promise<void> {
    const { channel, account } = deps;
    try {
      const event = await albums.close(key);
      try {
        if (event !== undefined) await inbound.accept([event]);
      } catch (error) {
        if (event === undefined || fateOf(error).kind !== "terminal") throw error;
        for (const update of event.raw as readonly Update[]) await setAside(update, error);
      }
      await albums.done([key]);
    } catch (error) {
      log.warn({ channel, account, reason: reasonOf(error) }, "telegram: an album is handed over later");
      clock.after(againMs, () => void handOverAlbum(key));
    }
  }

  async function settle(all: boolean): Promise<void> {
    try {
      for (const key of await albums.open(all)) await handOverAlbum(key);
    } catch (error) {
      log.warn(
        { channel: deps.channel, account: deps.account, reason: reasonOf(error) },
        "telegram: albums of earlier are looked for later",
      );
      clock.after(againMs, () => void settle(all));
    }
  }

  async function contextNow(): Promise<ParseContext> {
    return { ...deps, me: await identity(), receivedAt: clock.now() };
  }

  /** Of whom nobody hears nothing is kept: each medium is set aside at once. */
  async function albumOf(
    { message, edited_message: edited }: Update,
    event: InboundEvent,
  ): Promise<string | undefined> {
    const group = (message ?? edited)?.media_group_id;
    return group === undefined || (await inbound.hears(event)) ? group : undefined;
  }

  async function accept(updates: readonly Update[]): Promise<void> {
    const context = await contextNow();
    const read: [Update, InboundEvent][] = [];
    const unreadable: [Update, unknown][] = [];
    for (const update of updates) {
      try {
        const event = parse(update, context);
        if (event === undefined) noteNone(update);
        else read.push([update, event]);
      } catch (error) {
        unreadable.push([update, error]);
      }
    }
    const events: Parsed[] = [];
    for (const [update, event] of read) events.push({ event, group: await albumOf(update, event) });
    const { ready, closed } = await albums.take(events);
    if (ready.length > 0) await inbound.accept(ready);
    await albums.done(closed);
    for (const [update, error] of unreadable) await setAside(update, error);
    for (const update of updates) endProgress(update);
    for (const [update, event] of read) showPressed(update, event);
  }

  /** Posts of channels, messages of business accounts, service messages: nobody wrote them to the agent. */
  function noteNone(update: Update): void {
    const kind = Object.keys(update).find((name) => name !== "update_id");
    const { channel, account } = deps;
    log.info(
      { channel, account, updateId: update.update_id, kind },
      "telegram: an update that is no message to the agent",
    );
  }

  /** Ends the progress shown on the button. Telegram forgets a press after seconds: failing is no loss. */
  function endProgress({ callback_query: query }: Update): void {
    if (query === undefined) return;
    api.calls.answerCallbackQuery(query.id).catch((error: unknown) => {
      log.debug(
        { reason: reasonOf(mapError(error, "answerCallbackQuery", options.token)) },
        "telegram: press not answered",
      );
    });
  }

  /** The press of somebody who may not write here chooses nothing. */
  function showPressed({ callback_query: query }: Update, event: InboundEvent): void {
    if (query === undefined) return;
    const show = async () => ((await inbound.hears(event)) ? showChoice(api, query) : undefined);
    show().catch((error: unknown) => {
      log.debug({ reason: reasonOf(mapError(error, "editMessage", options.token)) }, "telegram: choice not shown");
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
    settle,
    async reread(update) {
      const context = await contextNow();
      let event: InboundEvent | undefined;
      try {
        event = parse(update, context);
      } catch (error) {
        throw new InputError(`telegram: update ${update.update_id} still cannot be read`, {
          status: 422,
          cause: error,
        });
      }
      if (event !== undefined) await inbound.accept([event]);
    },
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
