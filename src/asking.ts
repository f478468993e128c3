/** A tool asks the person while its call waits: the runner's part, see `questions.ts`. */
import type { CallAgent } from "./agent-calls.ts";
import type { Channel } from "./channel.ts";
import { reasonOf } from "./errors.ts";
import type { TurnRef } from "./events.ts";
import { listsButtons } from "./format.ts";
import type { AgentId } from "./ids.ts";
import type { InboundMessage } from "./message.ts";
import type { Asking } from "./question-state.ts";
import { answerOf } from "./questions.ts";
import type { Clock, Log } from "./ports.ts";
import type { AskPerson, PersonReply } from "./tools.ts";

/** How soon an answer is noticed where the agent has moved to another process than its runner's; here it is told at once. */
const lookMs = 2_000;

export interface AskingOptions {
  readonly call: CallAgent;
  readonly clock: Clock;
  readonly log: Log;
  readonly agent: AgentId;
  readonly turn: TurnRef;
  readonly signal: AbortSignal;
  /** Called when a question of the turn's may have come to its end. */
  readonly asking: Set<() => void>;
  readonly channel: Channel | undefined;
  /** What the turn answers. */
  readonly messages: readonly InboundMessage[];
  /** The answer to this question has reached the call that waits for it. */
  readonly onHeard: (question: string) => void;
}

/** Undefined where nobody could answer before the turn has ended. */
export function createAsk(options: AskingOptions): AskPerson | undefined {
  const { call, clock, log, agent, turn, signal, asking: sleepers, channel, messages } = options;
  if (channel?.reach === undefined) return undefined;
  const of = [...new Set(messages.map(({ participant }) => participant.id))];
  const { locale } = messages.at(-1)?.participant ?? {};

  async function look(
    asking: Asking,
    until: number,
    stopped: AbortSignal,
    sleep: (mostMs: number) => Promise<void>,
  ): Promise<PersonReply> {
    const { conversation } = turn;
    const listed = listsButtons(answerOf(asking), channel as Channel);
    let put = false;
    while (clock.monotonic() < until) {
      stopped.throwIfAborted();
      if (!put) {
        const reply = await call(agent, "question", { ...turn, asking, ...(listed && { listed }) });
        if (reply === "stale") return { kind: "silent" };
        put = reply !== "busy";
      }
      const state = put ? await call(agent, "replied", { conversation, id: asking.id }) : "open";
      if (state === "stale") return { kind: "silent" };
      if (state !== "open") {
        if (state.option !== undefined) return { kind: "chose", option: state.option };
        return state.text === undefined ? { kind: "declined" } : { kind: "said", text: state.text };
      }
      await sleep(Math.max(0, Math.min(lookMs, until - clock.monotonic())));
    }
    return { kind: "silent" };
  }

  /** Resolves in time for the next look: at once where it was told of something since the last. */
  function createSleep(stopped: AbortSignal) {
    let told = false;
    let end = () => {};
    const wake = () => {
      told = true;
      end();
    };
    sleepers.add(wake);
    stopped.addEventListener("abort", wake);
    return {
      async sleep(mostMs: number) {
        const { promise, resolve } = Promise.withResolvers<void>();
        end = resolve;
        const cancel = clock.after(mostMs, resolve);
        if (!told) await promise;
        cancel();
        told = false;
      },
      over() {
        sleepers.delete(wake);
        stopped.removeEventListener("abort", wake);
      },
    };
  }

  return async function ask({ forMs, signal: own, ...asking }) {
    const stopped = AbortSignal.any([signal, own]);
    const { sleep, over } = createSleep(stopped);
    let reply: PersonReply = { kind: "silent" };
    try {
      reply = await look({ ...asking, of, locale }, clock.monotonic() + forMs, stopped, sleep);
      if (reply.kind !== "silent") options.onHeard(asking.id);
      return reply;
    } finally {
      over();
      // The turn's next attempt comes back to it.
      if (reply.kind === "silent" && !signal.aborted) {
        call(agent, "unquestion", { ...turn, id: asking.id }).catch((error: unknown) => {
          log.debug({ agent, reason: reasonOf(error) }, "a question stays open until its turn ends");
        });
      }
    }
  };
}
