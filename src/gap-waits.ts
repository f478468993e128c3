/** How an agent waits for messages that are missing: on its process's monotonic clock; an actor that moves waits anew. */
import type { CallAgent } from "./agent-calls.ts";
import { reasonOf } from "./errors.ts";
import type { AgentId, ConversationId, MessageId } from "./ids.ts";
import { gapMs } from "./order.ts";
import type { Clock, Log } from "./ports.ts";
import { threadsOf, type Inbox } from "./state.ts";

export interface GapWaits {
  /** Then the agent is called, unless that is waited for already. */
  start(conversation: ConversationId, missing: MessageId): void;
  /** For all that is missing. */
  startAll(inbox: Inbox): void;
}

export interface GapWaitsOptions {
  readonly agent: AgentId;
  readonly clock: Clock;
  readonly log: Log;
  readonly call: CallAgent;
}

export function createGapWaits({ agent, clock, log, call }: GapWaitsOptions): GapWaits {
  const waits = new Set<MessageId>();

  function start(conversation: ConversationId, missing: MessageId): void {
    if (waits.has(missing)) return;
    waits.add(missing);
    clock.after(gapMs, () => {
      waits.delete(missing);
      call(agent, "waited", { conversation, missing }).catch((error: unknown) => {
        log.warn({ agent, reason: reasonOf(error) }, "a wait for a missing message is made again by the watchdog");
      });
    });
  }

  return {
    start,
    startAll(inbox) {
      for (const [conversation, { gaps = [] }] of threadsOf(inbox))
        for (const { missing } of gaps) start(conversation, missing);
    },
  };
}
