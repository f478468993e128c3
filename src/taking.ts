/** Takeovers in an agent's actor: an operator asks the conversation's own agent, which asks the person's where it is joined to that. */
import type { AgentTraits } from "./agent.ts";
import type { AgentCalls, CallAgent } from "./agent-calls.ts";
import type { AgentEvent, Moment, Reply } from "./events.ts";
import type { AgentId, ConversationId } from "./ids.ts";
import type { Later } from "./later.ts";
import type { Via } from "./link-state.ts";
import { describe } from "./message.ts";
import type { AgentState } from "./state.ts";
import type { Overheard } from "./takeover-events.ts";

/** Of the history as operators are shown it. */
const mostItems = 50;

/** The actor that this is a part of. */
export interface TakingSelf {
  readonly call: CallAgent;
  readonly moment: () => Moment & { readonly agent: AgentId };
  readonly state: () => AgentState;
  readonly step: (event: AgentEvent, traits: AgentTraits | undefined) => Promise<Reply>;
  readonly traitsOf: (conversation: ConversationId) => AgentTraits | undefined;
  /** Loads the conversation, all that waits in it, and all ids that are known. */
  readonly load: (conversation: ConversationId) => Promise<void>;
  /** The agent that has the conversation now, and how it is told what comes by way of this one. */
  readonly heir: (conversation: ConversationId) => { readonly agent: AgentId; readonly via: Via } | undefined;
  /** @throws InfrastructureError once the link is over that it came by. */
  readonly check: (via: Via | undefined) => void;
  /** As the reply says, once somebody looks after what the agent owes. */
  readonly kept: (reply: Reply) => Reply | Later;
  /** What was said may be folded. */
  readonly said: (conversation: ConversationId) => void;
}

type Method = "takeOver" | "speak" | "handBack" | "lapse";
type Methods = {
  [Name in Method]: (data: Parameters<AgentCalls[Name]>[0]) => Promise<ReturnType<AgentCalls[Name]> | Later>;
} & { overheard(of: { readonly conversation: ConversationId }): Promise<Overheard | "stale"> };

export function createTaking(self: TakingSelf): Methods {
  const { call, state } = self;

  async function act(event: AgentEvent, conversation: ConversationId): Promise<Reply | Later> {
    const reply = await self.step(event, self.traitsOf(conversation));
    if (reply === "accepted") self.said(conversation);
    return self.kept(reply);
  }

  const knows = (conversation: ConversationId) =>
    state().inbox.threads[conversation] !== undefined || state().quiet[conversation] !== undefined;

  return {
    async takeOver(data) {
      const { conversation } = data.to;
      await self.load(conversation);
      if (data.via === undefined && !knows(conversation)) return "stale";
      const heir = self.heir(conversation);
      if (heir !== undefined) return call(heir.agent, "takeOver", { ...data, via: heir.via });
      self.check(data.via);
      return act({ ...self.moment(), ...data, type: "taken" }, conversation);
    },
    async speak(data) {
      await self.load(data.conversation);
      const heir = self.heir(data.conversation);
      if (heir !== undefined) return call(heir.agent, "speak", data);
      return act({ ...self.moment(), ...data, type: "spoken" }, data.conversation);
    },
    async handBack(data) {
      await self.load(data.conversation);
      const heir = self.heir(data.conversation);
      if (heir !== undefined) return call(heir.agent, "handBack", data);
      return act({ ...self.moment(), ...data, type: "handedBack" }, data.conversation);
    },
    async lapse(data) {
      await self.load(data.conversation);
      const heir = self.heir(data.conversation);
      if (heir !== undefined) return call(heir.agent, "lapse", data);
      return act({ ...self.moment(), ...data, type: "lapsed" }, data.conversation);
    },
    async overheard({ conversation }) {
      await self.load(conversation);
      if (!knows(conversation)) return "stale";
      const heir = self.heir(conversation);
      if (heir === undefined) return overheardOf(state(), conversation);
      const heard = await call(heir.agent, "overheard", { conversation });
      // Nothing came there since the two are one.
      return heard === "stale" ? { items: [] } : heard;
    },
  };
}

/** What waits stands behind what is remembered. */
function overheardOf({ inbox, history }: AgentState, conversation: ConversationId): Overheard {
  const { held, pending = [] } = inbox.threads[conversation] ?? {};
  const waiting = pending.map((message) => ({
    role: message.note === undefined ? ("user" as const) : ("note" as const),
    text: describe(message.message),
    at: message.sentAt ?? message.receivedAt,
    ...named(message.note?.topic ?? (message.address.kind === "group" ? message.participant.name : undefined)),
  }));
  const items = history.items.map(({ role, text, at, name }) => ({ role, text, at, ...named(name) }));
  return { ...(held && { held }), items: [...items, ...waiting].slice(-mostItems) };
}

function named(name: string | undefined) {
  return name === undefined ? {} : { name };
}
