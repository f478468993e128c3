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

/** How soon an answer is noticed. */
const lookMs = 400;

export interface AskingOptions {
  readonly call: CallAgent;
  readonly clock: Clock;
  readonly log: Log;
  readonly agent: AgentId;
  readonly turn: TurnRef;
  readonly signal: AbortSignal;
  readonly channel: Channel | undefined;
  /** What the turn answers. */
  readonly messages: readonly InboundMessage[];
  /** The answer to this question has reached the call that waits for it. */
  readonly onHeard: (question: string) => void;
}

/** Undefined where nobody could answer before the turn has ended. */
export function createAsk(options: AskingOptions): AskPerson | undefined {
  const { call, clock, log, agent, turn, signal, channel, messages } = options;
  if (channel?.reach === undefined) return undefined;
  const of = [...new Set(messages.map(({ participant }) => participant.id))];
  const { locale } = messages.at(-1)?.participant ?? {};

  async function look(asking: Asking, until: number, stopped: AbortSignal): Promise<PersonReply> {
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
      await wait(stopped);
    }
    return { kind: "silent" };
  }

  function wait(stopped: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        cancel();
        stopped.removeEventListener("abort", end);
        resolve();
      };
      const cancel = clock.after(lookMs, end);
      stopped.addEventListener("abort", end, { once: true });
    });
  }

  return async function ask({ forMs, signal: own, ...asking }) {
    const stopped = AbortSignal.any([signal, own]);
    let reply: PersonReply = { kind: "silent" };
    try {
      reply = await look({ ...asking, of, locale }, clock.monotonic() + forMs, stopped);
      if (reply.kind !== "silent") options.onHeard(asking.id);
      return reply;
    } finally {
      // The turn's next attempt comes back to it.
      if (reply.kind === "silent" && !signal.aborted) {
        call(agent, "unquestion", { ...turn, id: asking.id }).catch((error: unknown) => {
          log.debug({ agent, reason: reasonOf(error) }, "a question stays open until its turn ends");
        });
      }
    }
  };
}
