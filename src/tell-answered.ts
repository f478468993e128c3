/**
 * Who is told of an answer once it is settled: those who subscribed, and those who review what its agent was in doubt of. Delivery tells
 * at once, beside its line; the agent again before its outbox forgets the answer, so that a kill in between keeps nobody from it.
 */
import type { Overheard } from "./takeover-events.ts";
import { answered, type Announce } from "./announce.ts";
import type { ConversationId } from "./ids.ts";
import type { OutboundEvent } from "./message.ts";
import type { Reviews } from "./reviews.ts";

/**
 * Again changes nothing.
 * @param hear what is said there, where the agent itself tells, and cannot be asked.
 * @throws InfrastructureError where nothing can be kept now.
 */
export type TellAnswered = (
  entries: readonly OutboundEvent[],
  hear?: (conversation: ConversationId) => Promise<Overheard | "stale">,
) => Promise<void>;

interface Tellers {
  readonly announce?: Announce | undefined;
  readonly reviews?: Pick<Reviews, "add"> | undefined;
}

/** Undefined where nobody wants to know. */
export function createTellAnswered({ announce, reviews }: Tellers): TellAnswered | undefined {
  if (announce === undefined && reviews === undefined) return undefined;
  return async (entries, hear) => {
    const facts = entries.flatMap((entry) => answered(entry) ?? []);
    if (facts.length > 0) await announce?.(facts);
    if (reviews === undefined) return;
    for (const { agent, to, seq, answers, at, made } of entries) {
      if (made?.doubts === undefined) continue;
      const heard = hear && (() => hear(to.conversation));
      await reviews.add({ v: 1, agent, to, seq, answers, at, made }, made.doubts, heard);
    }
  };
}
