/** From dispatches to `inbound`: durable, or set aside where the operator sees it. */
import type { ChannelDeps } from "../../src/channel.ts";
import { fateOf, InputError, reasonOf, RefusedError } from "../../src/errors.ts";
import { messageId } from "../../src/ids.ts";
import type { InboundEvent } from "../../src/message.ts";
import { createRecent } from "../../src/recent.ts";
import type { Guilds } from "./guilds.ts";
import type { Interaction } from "./interaction.ts";
import { namedBy } from "./names.ts";
import { parse, type Dispatch, type ParseContext } from "./parse.ts";
import type { Places } from "./places.ts";
import type { DiscordOptions } from "./settings.ts";
import type { Tokens } from "./tokens.ts";

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
  /** What the sender of an interaction is told instead of an answer. */
  refusalOf(interaction: string): string | undefined;
  /** A message of ours goes: that is nobody's deletion. */
  forget(message: string): void;
}

export interface IntakeOptions {
  readonly identity: { me(): string; application(): string };
  readonly guilds: Guilds;
  readonly places: Places;
  readonly tokens: Pick<Tokens, "refused">;
}

export function createIntake(
  deps: ChannelDeps,
  options: DiscordOptions,
  { identity, guilds, places, tokens }: IntakeOptions,
): Intake {
  const { tenant, channel, account, inbound, log, clock } = deps;
  /** Authors of what was for the agent, by message: an hour. */
  const authors = createRecent<string, string>(clock, 3_600_000);
  /** Interactions that were let in, and those that were not. */
  const judged = createRecent<string, { readonly refusal?: string }>(clock, 600_000);
  const ours = createRecent<string, true>(clock, 600_000);

  function contextNow(session: string): ParseContext {
    return {
      tenant,
      channel,
      account,
      me: identity.me(),
      application: identity.application(),
      ownRoles: guilds.ownRoles,
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
    const { addressed, forAnother } = event.message;
    const mayBeFor = addressed || (options.always && forAnother !== true);
    if (named?.kind !== "message" || !mayBeFor) return;
    authors.set(named.id, event.participant.user);
  }

  /** In their order. Whoever sent an interaction waits for an answer: a refusal is told there. */
  async function handOver(events: readonly InboundEvent[], asked: ReadonlyMap<InboundEvent, Interaction>) {
    let written: InboundEvent[] = [];
    for (const event of events) {
      const interaction = asked.get(event);
      if (interaction === undefined) {
        written.push(event);
        continue;
      }
      if (written.length > 0) await inbound.accept(written);
      written = [];
      if (await isAdmitted(event, interaction)) await inbound.accept([event], { admitted: true });
    }
    if (written.length > 0) await inbound.accept(written);
  }

  /** Asked once for each, whatever fails later: it counts. */
  async function isAdmitted(event: InboundEvent, interaction: Interaction): Promise<boolean> {
    const known = judged.get(interaction.id);
    if (known !== undefined) {
      // It was kept again before it was handed over again.
      if (known.refusal !== undefined) await tokens.refused(interaction);
      return known.refusal === undefined;
    }
    try {
      await inbound.admit(event);
      judged.set(interaction.id, {});
      return true;
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error;
      judged.set(interaction.id, { refusal: error.message });
      await tokens.refused(interaction);
      return false;
    }
  }

  async function acceptAll(arrived: readonly Arrived[]): Promise<void> {
    const events: InboundEvent[] = [];
    const asked = new Map<InboundEvent, Interaction>();
    const unreadable: [Arrived, unknown][] = [];
    for (const one of arrived) {
      try {
        const event = parse(one, contextNow(one.session));
        if (event === undefined) continue;
        events.push(event);
        if (one.t === "INTERACTION_CREATE") asked.set(event, one.d as Interaction);
      } catch (error) {
        unreadable.push([one, error]);
      }
    }
    for (const { address, participant, kind } of events)
      if (address.kind === "direct" && kind === "message") await places.remember(address.chat, participant.user);
    // Deletions are read by what was written just before.
    for (const event of events) note(event);
    await handOver(events, asked);
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
    refusalOf: (interaction) => judged.get(interaction)?.refusal,
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
