/**
 * The way in: from a channel's parsed events to topic "inbound". When {@link Inbound.accept} resolves they are durable, or set
 * aside by a rule that the journal names; only then may the platform be told so.
 */
import type { Inbound } from "./channel.ts";
import { inboundEnvelope } from "./envelope.ts";
import type { ConversationId, MessageId } from "./ids.ts";
import type { InboundEvent } from "./message.ts";
import type { Clock, Runtime } from "./ports.ts";
import { setAsideRule } from "./policy.ts";

/** Conversations whose last event this process remembers; older ones simply name no previous one. */
const rememberedConversations = 10_000;

export function createInbound({
  bus,
  journal,
  clock,
}: Pick<Runtime, "bus" | "journal"> & { readonly clock: Clock }): Inbound {
  const latest = new Map<ConversationId, MessageId>();

  /** The most recent last; the oldest is forgotten. */
  function remember(conversation: ConversationId, id: MessageId): void {
    latest.delete(conversation);
    latest.set(conversation, id);
    if (latest.size <= rememberedConversations) return;
    for (const oldest of latest.keys()) {
      latest.delete(oldest);
      return;
    }
  }

  return {
    async accept(events) {
      const kept: InboundEvent[] = [];
      const aside: Parameters<typeof journal.setAside>[0][number][] = [];
      for (const event of events) {
        const rule = setAsideRule(event);
        if (rule === undefined) kept.push(event);
        else aside.push({ id: event.id, conversation: event.address.conversation, rule, at: clock.now() });
      }
      const before = new Map<ConversationId, MessageId | undefined>();
      const envelopes = kept.map((event) => {
        const { conversation } = event.address;
        const previous = latest.get(conversation);
        if (!before.has(conversation)) before.set(conversation, previous);
        remember(conversation, event.id);
        return inboundEnvelope(event, previous === event.id ? undefined : previous);
      });
      try {
        if (aside.length > 0) await journal.setAside(aside);
        if (envelopes.length > 0) await bus.publish("inbound", envelopes);
      } catch (error) {
        // What was not published must not be waited for.
        for (const [conversation, previous] of before) {
          if (!kept.some((event) => event.id === latest.get(conversation))) continue;
          if (previous === undefined) latest.delete(conversation);
          else remember(conversation, previous);
        }
        throw error;
      }
    },
  };
}
