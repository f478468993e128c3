/**
 * Conversations that nobody can come back to: their agents, their records and what was said end some days after the last message.
 * Each is noted in a list of the day on which it ends; an hourly look takes the lists of the days that are over, in any process.
 */
import { z } from "zod";
import type { CallAgent } from "./agent-calls.ts";
import type { Belongings } from "./belongings.ts";
import { deliveryKey } from "./delivery-record.ts";
import { reasonOf } from "./errors.ts";
import { agentIdOf, type AgentId, type ConversationId } from "./ids.ts";
import type { InboundEvent } from "./message.ts";
import type { Clock, Log, Runtime, TranscriptEntry } from "./ports.ts";
import { dayOf } from "./seen.ts";

const firstMs = 60_000;
const everyMs = 3_600_000;
const atOnce = 8;
const pageSize = 200;
/** Where no process looked before: as far back as lists may have been left. */
const furthestDays = 400;
const cursorKey = "ends:cursor";
const cursor = z.object({ v: z.literal(1), day: z.number() });
const noted = z.object({
  v: z.literal(1),
  agent: z.custom<AgentId>((value) => typeof value === "string"),
  day: z.number(),
});

export interface Endings {
  /** With each message of such a conversation, beside what is kept of it. Again on the same day changes nothing. */
  note(of: Pick<InboundEvent, "address" | "participant">, afterDays: number): Promise<void>;
}

export interface EndingsKeeper extends Endings {
  /** Ends all that is due. */
  sweep(): Promise<void>;
  /** Sweeps from time to time, until the returned function is called. */
  start(): () => void;
}

export interface EndingsOptions {
  readonly runtime: Pick<Runtime, "records" | "transcript">;
  readonly call: CallAgent;
  readonly belongings: Belongings;
  /** What others do for the conversation ends with it. */
  readonly forget?: ((conversations: readonly string[]) => Promise<void>) | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

export function createEndings({ runtime, call, belongings, forget, clock, log }: EndingsOptions): EndingsKeeper {
  const { records, transcript } = runtime;
  const listOf = (day: number) => `ends:${day}`;

  async function add(endDay: number, conversation: string, of: { agent: AgentId; day: number }): Promise<void> {
    await transcript.append(listOf(endDay), conversation, { v: 1, ...of } satisfies z.infer<typeof noted>);
  }

  async function end({ key, entry }: TranscriptEntry): Promise<void> {
    const conversation = key as ConversationId;
    const { agent, day } = noted.parse(entry);
    const reply = await call(agent, "end", { after: day });
    // A later message has a note of its own.
    if (reply === "refused") return;
    if (reply !== "accepted") return add(dayOf(clock.now()) + 1, conversation, { agent, day });
    await forget?.([conversation]);
    await belongings.erase(conversation);
    await transcript.clear(conversation);
    await records.remove(deliveryKey(conversation));
  }

  async function endAll(day: number): Promise<void> {
    const list = listOf(day);
    for (let after = 0; ;) {
      const page = await transcript.list(list, { after, limit: pageSize });
      for (let at = 0; at < page.length; at += atOnce) await Promise.all(page.slice(at, at + atOnce).map(end));
      if (page.length < pageSize) break;
      after = page.at(-1)?.n ?? after;
    }
    // Last: what dies before is done again.
    await transcript.clear(list);
  }

  async function sweep(): Promise<void> {
    const today = dayOf(clock.now());
    const found = await records.get(cursorKey);
    const from = found === undefined ? today - furthestDays : cursor.parse(found.value).day;
    for (let day = from; day <= today; day++) await endAll(day);
    // Today's list may still grow by what was busy.
    if (from < today) await records.put(cursorKey, { v: 1, day: today } satisfies z.infer<typeof cursor>);
  }

  return {
    sweep,
    async note({ address, participant }, afterDays) {
      const agent = agentIdOf(address.kind, participant.id, address.conversation);
      const day = dayOf(clock.now());
      await add(day + afterDays, address.conversation, { agent, day });
    },
    start() {
      let stopped = false;
      let cancel = clock.after(firstMs, look);
      function look(): void {
        sweep()
          .catch((error: unknown) => {
            log.warn(
              { reason: reasonOf(error) },
              "conversations that are over could not all be ended; tried again later",
            );
          })
          .finally(() => {
            if (!stopped) cancel = clock.after(everyMs, look);
          });
      }
      return () => {
        stopped = true;
        cancel();
      };
    },
  };
}
