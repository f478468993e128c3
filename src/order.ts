/** The order in which a person wrote, as far as it is known. */
import type { InboundMessage } from "./message.ts";

/**
 * How long a turn waits for a message that was sent before one that came. After an outage brokers hand out what piled up many
 * seconds apart; what never comes (a dead letter) costs this once.
 */
export const gapMs = 15_000;

/** Before the first that was sent after it; what was sent before it and could not be compared with that one goes along. */
export function insert(pending: readonly InboundMessage[], message: InboundMessage): readonly InboundMessage[] {
  const at = pending.findIndex((other) => isAfter(other, message));
  if (at === -1) return [...pending, message];
  const [earlier, later] = [pending.slice(0, at), pending.slice(at)];
  const along = later.filter((other) => isAfter(message, other));
  return [...earlier, ...along, message, ...later.filter((other) => !along.includes(other))];
}

/** Where a message stands among others, as far as that is known. */
export type Place = Pick<InboundMessage, "sequence" | "arrival">;

/** By the platform's own sequence where it has one, else by arrival at one ingress; what cannot be compared keeps its place. */
export function isAfter(one: Place, other: Place): boolean {
  if (one.sequence !== undefined && other.sequence !== undefined) return one.sequence > other.sequence;
  return one.arrival !== undefined && one.arrival.at === other.arrival?.at && one.arrival.n > other.arrival.n;
}
