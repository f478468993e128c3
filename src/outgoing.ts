/** An agent's answers on their way from its outbox to the platform: who holds them, and when one is said again. */
import { outboundEnvelope } from "./envelope.ts";
import { reasonOf } from "./errors.ts";
import type { ConversationId } from "./ids.ts";
import type { OutboundEvent } from "./message.ts";
import type { Bus, Clock, Log } from "./ports.ts";

const republish = { firstMs: 30_000, mostMs: 600_000 } as const;

export interface Outgoing {
  /**
   * Answers that the state has now. They go to the delivery of this process where there is one, to the topic where it cannot
   * take them; otherwise `published` tells whether the bus has them.
   */
  follow(entries: readonly OutboundEvent[], published: Promise<boolean>): void;
  /** Nobody but the outbox is known to hold it. */
  isOwed(entry: OutboundEvent): boolean;
  /** What this process's delivery is known to be done with. */
  settled(): { conversation: ConversationId; seq: number }[];
  /** Publishes those again whose time has come; entries of an earlier life: at once. */
  publishLate(entries: readonly OutboundEvent[]): Promise<void>;
  /** These are left in the outbox: the others are forgotten. */
  keep(entries: readonly OutboundEvent[]): void;
}

export interface OutgoingOptions {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly log: Log;
  readonly deliver?: ((entry: OutboundEvent) => Promise<boolean>) | undefined;
  /** Found in the state at activation. */
  readonly inherited: readonly OutboundEvent[];
  /** They are held by somebody now (true), or only the watchdog can help. */
  readonly onHeld: (held: boolean) => void;
}

export function createOutgoing({ bus, clock, log, deliver, inherited, onHeld }: OutgoingOptions): Outgoing {
  /** Those of an earlier life, and those that nobody has taken yet. */
  const owed = new Set(inherited.map(keyOf));
  const due = new Map<string, { readonly at: number; readonly delay: number }>();
  const done = new Map<ConversationId, number>();

  function postpone(entry: OutboundEvent, delay: number): void {
    due.set(keyOf(entry), { at: clock.monotonic() + delay, delay });
  }

  async function handOver(entry: OutboundEvent, take: NonNullable<typeof deliver>): Promise<boolean> {
    const { conversation } = entry.to;
    try {
      if (await take(entry)) done.set(conversation, Math.max(done.get(conversation) ?? 0, entry.seq));
      return true;
    } catch (error) {
      log.debug({ conversation, seq: entry.seq, reason: reasonOf(error) }, "an answer goes by its topic");
    }
    return bus.publish("outbound", [outboundEnvelope(entry)]).then(
      () => true,
      () => false,
    );
  }

  return {
    follow(entries, published) {
      if (entries.length === 0) return;
      for (const entry of entries) {
        owed.add(keyOf(entry));
        postpone(entry, republish.firstMs);
      }
      const held =
        deliver === undefined
          ? published
          : Promise.all(entries.map((entry) => handOver(entry, deliver))).then((all) => all.every(Boolean));
      void held.then((all) => {
        if (all) for (const entry of entries) owed.delete(keyOf(entry));
        return onHeld(all);
      });
    },
    isOwed: (entry) => owed.has(keyOf(entry)),
    settled: () => [...done].map(([conversation, seq]) => ({ conversation, seq })),
    async publishLate(entries) {
      const late = entries.filter((entry) => (due.get(keyOf(entry))?.at ?? 0) <= clock.monotonic());
      if (late.length === 0) return;
      await bus.publish("outbound", late.map(outboundEnvelope));
      for (const entry of late) {
        const delay = (due.get(keyOf(entry))?.delay ?? republish.firstMs / 2) * 2;
        postpone(entry, Math.min(delay, republish.mostMs));
      }
      log.info(
        { agent: late[0]?.agent, entries: late.length },
        "answers that delivery does not show yet are published again",
      );
    },
    keep(entries) {
      const keys = new Set(entries.map(keyOf));
      for (const key of due.keys()) if (!keys.has(key)) due.delete(key);
      for (const key of owed) if (!keys.has(key)) owed.delete(key);
      const conversations = new Set(entries.map(({ to }) => to.conversation));
      for (const conversation of done.keys()) if (!conversations.has(conversation)) done.delete(conversation);
    },
  };
}

function keyOf({ to, seq }: OutboundEvent): string {
  return `${to.conversation}#${seq}`;
}
