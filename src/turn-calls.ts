/** Turns in an agent's actor: what their runners take, ask and bring back. Only the active attempt counts. */
import type { AgentTraits } from "./agent.ts";
import type { AgentCalls, Decided } from "./agent-calls.ts";
import { askKey, readAsk } from "./ask-state.ts";
import { decisionOf, openAskOf } from "./asks.ts";
import type { AgentEvent, Moment, Reply, TurnRef } from "./events.ts";
import type { AgentId, ConversationId } from "./ids.ts";
import type { Liveness } from "./liveness.ts";
import type { InboundMessage } from "./message.ts";
import { notesFor } from "./notes.ts";
import type { ActorContext } from "./ports.ts";
import { stateOf } from "./questions.ts";
import { batchOf } from "./scheduling.ts";
import type { AgentState, Thread } from "./state.ts";

/** The actor that this is a part of. */
export interface TurnCallsSelf {
  readonly context: Pick<ActorContext, "load">;
  readonly liveness: Liveness;
  readonly moment: () => Moment & { readonly agent: AgentId };
  readonly state: () => AgentState;
  readonly step: (events: readonly AgentEvent[], traits: AgentTraits | undefined) => Promise<Reply>;
  readonly traitsOf: (conversation: ConversationId) => AgentTraits | undefined;
  readonly isStopping: () => boolean;
  /** Ends a turn, with all that comes with an end. */
  readonly ended: (event: AgentEvent & TurnRef) => Promise<Reply>;
}

type Method = "take" | "question" | "replied" | "unquestion" | "finish" | "fail" | "alive" | "abandon";
type Methods = {
  [Name in Method]: (data: Parameters<AgentCalls[Name]>[0]) => Promise<ReturnType<AgentCalls[Name]>>;
};

export function createTurnCalls({ context, liveness, moment, state, step, traitsOf, ...self }: TurnCallsSelf): Methods {
  const activeIn = ({ conversation, turn, attempt }: TurnRef): Thread | undefined => {
    const thread = state().inbox.threads[conversation];
    return thread?.turn?.id === turn && thread.turn.attempt === attempt ? thread : undefined;
  };

  /** A turn that goes on with a run has that word alone. */
  async function decidedBy(thread: Thread, [message]: readonly InboundMessage[]): Promise<Decided | undefined> {
    const decision = message === undefined ? undefined : decisionOf(message);
    const ask = decision === undefined ? undefined : openAskOf(thread, decision.ask);
    if (decision === undefined || ask === undefined) return undefined;
    const key = askKey(ask.id);
    const rows = await context.load([key]);
    const { agent } = ask;
    const { state: run } = readAsk(rows.get(key));
    return { turn: ask.turn, state: run, decision, ...(agent === undefined ? {} : { agent }) };
  }

  return {
    async take(turn) {
      const thread = activeIn(turn);
      if (thread === undefined) return "stale";
      // It may have waited for its place for longer than the watchdog waits.
      liveness.hear(turn.turn);
      const { summary, items, notes = [], notesOff } = state().history;
      const messages = batchOf(thread);
      liveness.took(
        turn.turn,
        messages.map((message) => message.id),
      );
      const decided = await decidedBy(thread, messages);
      return {
        to: thread.to,
        messages,
        history: items,
        ...(summary === undefined ? {} : { summary }),
        ...(notesOff === true ? {} : { notes: notesFor(notes, thread.to) }),
        ...(decided === undefined ? {} : { decided }),
        ...agentsIn(thread, messages, decided),
      };
    },
    question: (data) => step([{ ...moment(), ...data, type: "questioned" }], traitsOf(data.conversation)),
    replied: async ({ conversation, id }) => stateOf(state().inbox.threads[conversation], id),
    unquestion: (data) => step([{ ...moment(), ...data, type: "unquestioned" }], traitsOf(data.conversation)),
    finish: (data) => self.ended({ ...moment(), ...data, type: "finished" }),
    fail: (data) => self.ended({ ...moment(), ...data, type: "failed" }),
    async alive(turn) {
      if (activeIn(turn) === undefined) return "stale";
      liveness.hear(turn.turn);
      return "accepted";
    },
    async abandon(turn) {
      const { pending = [] } = state().inbox.threads[turn.conversation] ?? {};
      const abandoned: AgentEvent = { ...moment(), ...turn, type: "abandoned" };
      // The agent may have moved before its runner stopped: then its turn starts again here and now.
      const again: AgentEvent[] = self.isStopping() ? [] : [{ ...moment(), type: "silent", turns: [turn] }];
      const reply = await step([abandoned, ...again], traitsOf(turn.conversation));
      return reply === "accepted" && pending[0] !== undefined ? pending[0] : "stale";
    },
  };
}

/** What decides which agent has these messages: see `batchOf`. */
function agentsIn({ choice }: Thread, messages: readonly InboundMessage[], decided: Decided | undefined) {
  const [first] = messages;
  const noted = messages.every(({ note }) => note?.agent === first?.note?.agent) ? first?.note?.agent : undefined;
  const begunBy = decided?.agent ?? noted;
  return { ...(choice === undefined ? {} : { choice }), ...(begunBy === undefined ? {} : { begunBy }) };
}
