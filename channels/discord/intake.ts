/** From dispatches to `inbound`: durable, or set aside where the operator sees it. */
import type { ChannelDeps } from "../../src/channel.ts";
import { fateOf, InputError, reasonOf } from "../../src/errors.ts";
import { messageId } from "../../src/ids.ts";
import type { InboundEvent } from "../../src/message.ts";
import { createRecent } from "../../src/recent.ts";
import type { Guilds } from "./guilds.ts";
import { namedBy } from "./names.ts";
import { parse, type Dispatch, type ParseContext } from "./parse.ts";
import type { Places } from "./places.ts";
import type { DiscordOptions } from "./settings.ts";

/** So often a batch may fail with an error that is nobody's outage before it is set aside. */
const mostFailures = 5;

/** A dispatch and the session that numbered it. */
export interface Arrived extends Dispatch {
  readonly session: string;
}

export interface Intake {
  /**
   * Resolves once every dispatch is durable or set aside, and the direct chats in it would be found again.
   * @param failures how often these have failed before: past a bound what fails is set aside.
   * @throws what `inbound` and the records throw: nothing may be acknowledged.
   */
  accept(arrived: readonly Arrived[], failures: number): Promise<void>;
  /**
   * One that was set aside, once more.
   * @throws InputError where it still cannot be read, and what `inbound` throws.
   */
  reread(dispatch: Dispatch): Promise<void>;
  /** The latest message in a channel that was for the agent: what a draft in a server replies to. */
  addressedIn(channel: string): string | undefined;
  /** A message of ours goes: that is nobody's deletion. */
  forget(message: string): void;
}

export interface IntakeOptions {
  readonly me: () => string;
  readonly guilds: Guilds;
  readonly places: Places;
}

export function createIntake(
  deps: ChannelDeps,
  options: DiscordOptions,
  { me, guilds, places }: IntakeOptions,
): Intake {
  const { tenant, channel, account, inbound, log, clock } = deps;
  /** Authors of what was for the agent, by message: an hour. */
  const authors = createRecent<string, string>(clock, 3_600_000);
  const latest = createRecent<string, string>(clock, 3_600_000);
  const ours = createRecent<string, true>(clock, 600_000);

  function contextNow(session: string): ParseContext {
    return {
      tenant,
      channel,
      account,
      me: me(),
      ownRoles: guilds.ownRoles,
      groups: options.groups.answer,
      session,
      authorOf: (where, message) => {
        if (ours.get(message) === true) return undefined;
        return authors.get(message) ?? places.personOf(where);
      },
      receivedAt: clock.now(),
    };
  }

  /** With the whole dispatch: an operator can read it, and nothing waits for it. */
  async function setAside({ session, ...dispatch }: Arrived, error: unknown): Promise<void> {
    const own = (dispatch.d as { id?: unknown } | null)?.id;
    const name = typeof own === "string" ? own : `${session}.${dispatch.s}`;
    const reason = reasonOf(error);
    const id = messageId(deps, "dispatch", dispatch.t, name);
    await inbound.setAside({ account: { tenant, channel, account }, id, raw: withoutToken(dispatch), reason });
    log.error(
      { channel, account, kind: dispatch.t, reason },
      "discord: a dispatch is set aside and kept as a dead letter",
    );
  }

  function note(event: InboundEvent): void {
    if (event.kind !== "message") return;
    const named = namedBy(event.id, event.address.chat);
    if (named?.kind !== "message" || !event.message.addressed) return;
    authors.set(named.id, event.participant.user);
    latest.set(event.address.chat, named.id);
  }

  async function acceptAll(arrived: readonly Arrived[]): Promise<void> {
    const events: InboundEvent[] = [];
    const unreadable: [Arrived, unknown][] = [];
    for (const one of arrived) {
      try {
        const event = parse(one, contextNow(one.session));
        if (event !== undefined) events.push(event);
      } catch (error) {
        unreadable.push([one, error]);
      }
    }
    for (const { address, participant, kind } of events)
      if (address.kind === "direct" && kind === "message") await places.remember(address.chat, participant.user);
    // Deletions are read by what was written just before.
    for (const event of events) note(event);
    if (events.length > 0) await inbound.accept(events);
    for (const [one, error] of unreadable) await setAside(one, error);
  }

  /** One by one, so that one that can never be accepted holds up no other. */
  async function acceptEach(arrived: readonly Arrived[], lastTry: boolean): Promise<void> {
    for (const one of arrived) {
      try {
        await acceptAll([one]);
      } catch (error) {
        if (!hopeless(error, lastTry)) throw error;
        await setAside(one, error);
      }
    }
  }

  return {
    async accept(arrived, failures) {
      try {
        await acceptAll(arrived);
      } catch (error) {
        const lastTry = failures + 1 >= mostFailures;
        if (!hopeless(error, lastTry)) throw error;
        await acceptEach(arrived, lastTry);
      }
    },
    async reread(dispatch) {
      let event: InboundEvent | undefined;
      try {
        event = parse(dispatch, contextNow("reread"));
      } catch (error) {
        throw new InputError(`discord: the ${dispatch.t} still cannot be read`, { status: 422, cause: error });
      }
      if (event !== undefined) await inbound.accept([event]);
    },
    addressedIn: (where) => latest.get(where),
    forget: (message) => ours.set(message, true),
  };
}

function hopeless(error: unknown, lastTry: boolean): boolean {
  const fate = fateOf(error);
  return fate.kind === "terminal" || (fate.counts && lastTry);
}

/** An interaction's token would let whoever reads the dead letter answer in the bot's name. */
function withoutToken(dispatch: Dispatch): Dispatch {
  if (typeof dispatch.d !== "object" || dispatch.d === null || !("token" in dispatch.d)) return dispatch;
  const { token: _secret, ...d } = dispatch.d;
  return { ...dispatch, d };
}
