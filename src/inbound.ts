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
import { createRecent } from "./recent.ts";

/** One of a conversation's latest events, and the one before it: an event that comes twice names the same one both times. */
interface Published {
  readonly id: MessageId;
  readonly previous: MessageId | undefined;
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

  function envelopeOf(event: InboundEvent): CloudEvent {
    // An ordered bus delivers nothing before its predecessor: nobody has to be told of it.
    if (bus.ordered) return inboundEnvelope(event, undefined);
    const { conversation } = event.address;
    const before = latest.get(conversation) ?? [];
    const known = before.find(({ id }) => id === event.id);
    const previous = known === undefined ? before.at(-1)?.id : known.previous;
    latest.set(
      conversation,
      known === undefined ? [...before.slice(1 - remembered), { id: event.id, previous }] : before,
    );
    return inboundEnvelope({ ...event, arrival: { at: ingress, n: ++arrived } }, previous);
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
    const before = new Map(kept.map(({ address }) => [address.conversation, latest.get(address.conversation)]));
    const envelopes = kept.map(envelopeOf);
    try {
      if (aside.length > 0) await journal.setAside(aside);
      if (envelopes.length > 0) await bus.publish("inbound", envelopes);
    } catch (error) {
      // What was not published must not be waited for.
      for (const [conversation, last] of before) {
        if (!kept.some(({ id }) => id === latest.get(conversation)?.at(-1)?.id)) continue;
        if (last === undefined) latest.delete(conversation);
        else latest.set(conversation, last);
      }
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
