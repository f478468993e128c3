/**
 * The way in: from a channel's parsed events to topic "inbound". When {@link Inbound.accept} resolves they are durable, or set
 * aside by a rule that the journal names; only then may the platform be told so.
 */
import { noticeFor, wordsFor, type Access, type Verdict } from "./access.ts";
import type { Channel, Inbound, MarksIn } from "./channel.ts";
import { inboundEnvelope, unreadableEnvelope } from "./envelope.ts";
import { RefusedError } from "./errors.ts";
import type { AccountRef, ConversationId, MessageId } from "./ids.ts";
import type { InboundEvent, InboundMessage, InboundNotice, InboundSaid } from "./message.ts";
import type { Clock, CloudEvent, Runtime, SetAside } from "./ports.ts";
import type { Rule } from "./policy.ts";
import { gapMs } from "./order.ts";
import { createRecent } from "./recent.ts";

/** One of a conversation's latest events, its place and those before it: an event that comes twice has the same ones both times. */
interface Published {
  readonly id: MessageId;
  /** It was this process's n-th. */
  readonly n: number;
  /** The latest first. */
  readonly before: readonly MessageId[];
  /** On the monotonic clock. */
  readonly at: number;
  /** So many calls are publishing it. */
  calls: number;
  /** One of them has. */
  durable: boolean;
}

/** Of each conversation: copies of these do not stand between the others. */
const remembered = 16;

export interface InboundOptions extends Pick<Runtime, "bus" | "journal" | "deadLetters"> {
  readonly clock: Clock;
  /** Names this process's life: orders of arrival compare within it only. */
  readonly ingress: string;
  readonly access: Access;
  readonly channelOf: (to: AccountRef) => Channel | undefined;
  readonly receipts: MarksIn;
}

export interface WayIn extends Inbound {
  /** From the gateway itself: no rule keeps it out. Resolves once it is durable. */
  tell(event: InboundNotice | InboundSaid | InboundMessage): Promise<void>;
}

export function createInbound(options: InboundOptions): WayIn {
  const { bus, journal, deadLetters, clock, ingress, access } = options;
  /** A conversation's first event after a while names no previous one: nothing of it is under way any more. */
  const latest = createRecent<ConversationId, readonly Published[]>(clock);
  let arrived = 0;

  /**
   * The one before would do, if it named the one before itself to the agent: a late copy of what the agent has long had from
   * another ingress does not. So those of a short time ago are named too; older ones have been waited for.
   */
  function namedAfter(published: readonly Published[], now: number): MessageId[] {
    const from = now - gapMs;
    return published
      .flatMap(({ id, at }, place) => (at > from || place === published.length - 1 ? [id] : []))
      .reverse();
  }

  function placeOf({ id, address }: InboundEvent): Published {
    const now = clock.monotonic();
    const published = latest.get(address.conversation) ?? [];
    const known = published.find((one) => one.id === id);
    const own = known ?? { id, n: ++arrived, before: namedAfter(published, now), at: now, calls: 0, durable: false };
    own.calls += 1;
    latest.set(address.conversation, known === undefined ? [...published.slice(1 - remembered), own] : published);
    return own;
  }

  /** What was not published must not be waited for; a copy of it may have been, or be yet. */
  function failed({ address }: InboundEvent, own: Published): void {
    own.calls -= 1;
    if (own.durable || own.calls > 0) return;
    const rest = latest.get(address.conversation)?.filter((one) => one !== own) ?? [];
    if (rest.length === 0) latest.delete(address.conversation);
    else latest.set(address.conversation, rest);
  }

  function envelopeOf(event: InboundEvent, own: Published | undefined): CloudEvent {
    if (own === undefined) return inboundEnvelope(event, []);
    return inboundEnvelope({ ...event, arrival: { at: ingress, n: own.n } }, own.before);
  }

  const entryOf = ({ id, address }: InboundEvent, rule: Rule): SetAside => ({
    id,
    conversation: address.conversation,
    rule,
    at: clock.now(),
  });

  /** What of these goes on the bus, and what into the journal. `undo` collects what to do if neither happens. */
  async function sort(events: readonly InboundEvent[], undo: (() => void)[]) {
    const kept: InboundEvent[] = [];
    const aside: SetAside[] = [];
    for (const event of events) {
      const refuses = options.channelOf(event.address)?.traits.refuses === true;
      const judged = access.judge(event, !refuses);
      const verdict: Verdict = judged instanceof Promise ? await judged : judged;
      if (verdict.undo !== undefined) undo.push(verdict.undo);
      if (verdict.rule === undefined) kept.push(event);
      else aside.push(entryOf(event, verdict.rule));
      const { says, news } = verdict;
      if (says !== undefined && news === true && !refuses) kept.push(noticeFor(event, says));
    }
    return { kept, aside };
  }

  async function publish(kept: readonly InboundEvent[], aside: readonly SetAside[]): Promise<void> {
    // An ordered bus delivers nothing before its predecessor: nobody has to be told of it.
    const placed = bus.ordered ? [] : kept.map((event) => ({ event, own: placeOf(event) }));
    const envelopes = kept.map((event, at) => envelopeOf(event, placed[at]?.own));
    try {
      if (aside.length > 0) await journal.setAside(aside);
      if (envelopes.length > 0) await bus.publish("inbound", envelopes);
      for (const { own } of placed) own.durable = true;
    } catch (error) {
      for (const { event, own } of placed) failed(event, own);
      throw error;
    }
  }

  return {
    ...options.receipts,
    async accept(events, { admitted = false } = {}) {
      if (admitted) return publish(events, []);
      const undo: (() => void)[] = [];
      try {
        const { kept, aside } = await sort(events, undo);
        await publish(kept, aside);
      } catch (error) {
        for (const one of undo) one();
        throw error;
      }
    },
    async admit(event) {
      const verdict = await access.judge(event, false);
      const { rule, retryAfterMs } = verdict;
      if (rule === undefined) return;
      await journal.setAside([entryOf(event, rule)]);
      throw new RefusedError(wordsFor(event, verdict), { rule, retryAfterMs });
    },
    hears: access.hears,
    tell: (event) => publish([event], []),
    async setAside(unreadable) {
      const at = clock.now();
      const event = unreadableEnvelope(unreadable, at);
      const { id, reason } = unreadable;
      await deadLetters.add({ id: `inbound:${id}`, topic: "inbound", event, reason, attempts: 1, at });
    },
  };
}
