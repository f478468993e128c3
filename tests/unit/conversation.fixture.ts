/** The reducer of a direct chat's agent, told events step by step. */
import type { AgentTraits } from "../../src/agent.ts";
import { reduce } from "../../src/conversation.ts";
import type { AgentEvent, Effect, Reply, TurnRef } from "../../src/events.ts";
import {
  agentIdOf,
  conversationId,
  messageId,
  participantId,
  type ConversationId,
  type MessageId,
} from "../../src/ids.ts";
import type { Address, InboundEvent, InboundMessage, Participant } from "../../src/message.ts";
import { batchOf } from "../../src/scheduling.ts";
import type { SeenIndex } from "../../src/seen.ts";
import { readQuiet, readState, type Thread } from "../../src/state.ts";

export const day = 86_400_000;
export const noon = 20_000 * day + day / 2;

interface Chat {
  /** When she writes. */
  readonly at: number;
  readonly channel?: string;
  readonly locale?: string;
}

/** Ann's chat with her agent. */
export function directChat({ at, channel = "test", locale }: Chat) {
  const account = { tenant: "default", channel, account: "main" };
  const conversation = conversationId(account, "chat");
  const participant: Participant = {
    id: participantId(account, "ann"),
    user: "ann",
    ...(locale !== undefined && { locale }),
  };
  const agent = agentIdOf("direct", participant.id, conversation);
  const to: Address = { ...account, conversation, kind: "direct", chat: "chat" };
  const id = (name: string): MessageId => messageId(account, "chat", name);
  const message = (name: string, fields: Partial<InboundMessage> = {}): InboundMessage => ({
    v: 1,
    kind: "message",
    id: id(name),
    address: to,
    participant,
    sentAt: at,
    receivedAt: at,
    message: { parts: [{ kind: "text", text: name, format: "plain" }], addressed: true },
    ...fields,
  });
  /** As people type it: a command where it begins with a slash. */
  const typed = (text: string): InboundMessage => {
    const [, name, args = ""] = /^\/(\w+) ?(.*)$/.exec(text) ?? [];
    const command = name === undefined ? {} : { command: { name, args } };
    return message(text, {
      message: { parts: [{ kind: "text", text, format: "plain" }], addressed: true, ...command },
    });
  };
  const command = (name: string) => typed(`/${name}`);
  return { account, conversation, participant, agent, to, id, message, typed, command };
}

/** @throws where none runs. */
export function activeTurn(conversation: ConversationId, thread: Thread | undefined): TurnRef {
  const turn = thread?.turn;
  if (turn === undefined) throw new Error("no turn is active");
  return { conversation, turn: turn.id, attempt: turn.attempt };
}

/** What the turn that runs takes. */
export const batchOfThread = (thread: Thread | undefined): MessageId[] =>
  thread === undefined ? [] : batchOf(thread).map(({ id }) => id);

export const { account, conversation, participant, agent, to, id, message, command } = directChat({ at: noon });

export const edit = (target: string, text: string): InboundEvent => ({
  ...message(`${target} edited`),
  kind: "edited",
  target: id(target),
  message: { parts: [{ kind: "text", text, format: "plain" }], addressed: true },
});

export const deletion = (target: string): InboundEvent => {
  const { message: _message, ...header } = message(`${target} deleted`);
  return { ...header, kind: "deleted", targets: [id(target)] };
};

/** One agent: what it is told, what it asks for, what it answers. */
export function play(traits: Partial<AgentTraits> = {}) {
  let state = readState(new Map());
  let now = noon;
  const effects: Effect[] = [];
  const away: ConversationId[] = [];
  const all: AgentTraits = { whileRunning: "queue", turnTimeoutMs: 60_000, historyItems: 4, ...traits };

  function tell(event: Record<string, unknown> & { type: AgentEvent["type"] }): Reply {
    const step = reduce(state, { agent, now, instance: "here", ...event } as unknown as AgentEvent, all);
    state = step.state;
    effects.push(...step.effects);
    away.push(...step.quiet);
    return step.reply;
  }
  const thread = () => state.inbox.threads[conversation];
  return {
    tell,
    receive: (event: InboundEvent, previous?: string) =>
      tell({ type: "received", event, ...(previous === undefined ? {} : { previous: [id(previous)] }) }),
    /** The runner takes what waits and answers it. */
    finish(turn: TurnRef, text = "answer", messages?: readonly MessageId[]): Reply {
      return tell({
        type: "finished",
        ...turn,
        messages: messages ?? batchOfThread(thread()),
        answer: { parts: [{ kind: "text", text, format: "markdown" }] },
      });
    },
    running: () => activeTurn(conversation, thread()),
    pending: () => thread()?.pending.map((of) => of.id) ?? [],
    take: <Kind extends Effect["kind"]>(kind: Kind) => {
      const found = effects.filter((effect): effect is Extract<Effect, { kind: Kind }> => effect.kind === kind);
      effects.length = 0;
      return found;
    },
    aside: () => state.inbox.aside?.map((of) => [of.id, of.rule]),
    answers: () =>
      state.outbox.entries.map((entry) => ({ seq: entry.seq, answers: entry.answers, notice: entry.answer.notice })),
    history: () => state.history.items.map((item) => `${item.role}: ${item.text}`),
    state: () => state,
    /** Conversations that were put away since the last time. */
    away: () => away.splice(0),
    /** What the shell does before it tells something of a conversation that may be put away. */
    know(of: ConversationId, stored: unknown) {
      state = { ...state, quiet: { [of]: readQuiet(stored) } };
    },
    later(ms: number) {
      now += ms;
    },
    /** Days of seen ids are loaded only when an event needs them. */
    forgets(seen: SeenIndex) {
      state = { ...state, inbox: { ...state.inbox, seen } };
    },
  };
}
