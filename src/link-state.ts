/** What agents keep of the links between them: one person's identities on several channels have one agent. */
import { z } from "zod";
import { agentChoice, type AgentChoice } from "./agent-choice.ts";
import type { AgentId, ConversationId, MessageId } from "./ids.ts";
import { address, inboundEvent, type Address, type InboundMessage } from "./message.ts";
import { held, type Held } from "./takeover-state.ts";

/** Another agent has this one's conversations: what comes in goes there. */
export interface Forward {
  readonly to: AgentId;
  readonly link: string;
  /** The other agent may have them or not yet: nothing happens here until that is known. The command that asked for it. */
  readonly joining?: MessageId;
  /** Where the code was asked for. */
  readonly issued?: ConversationId;
}

/** An agent whose conversations this one has. */
export interface Joiner {
  readonly link: string;
  /** The latest events that came by way of it: of any of them it may not know yet that this one has it. */
  readonly latest?: readonly MessageId[];
}

/** So many are remembered: later ones may overtake one whose reply was lost, until the bus brings it again. */
export const mostLatest = 16;

/** Who answers in a conversation, as a thread has it: it goes along when the conversation does. */
export interface Answerers {
  /** A person of the operator's has it, or is asked for. */
  readonly held?: Held;
  readonly choice?: AgentChoice;
  readonly at?: string;
}

/** A conversation, and the last sequence that was given to an answer there. */
export interface Place extends Answerers {
  readonly to: Address;
  readonly seq: number;
}

export function placeOf({ to, seq, held: by, choice, at }: Place): Place {
  return { to, seq, ...(by && { held: by }), ...(choice && { choice }), ...(at !== undefined && { at }) };
}

/** Conversations on their way back to their own agent. */
export interface Leaving {
  readonly to: AgentId;
  readonly link: string;
  readonly latest?: readonly MessageId[];
  readonly places: readonly Place[];
  /** Without an answer so far. */
  readonly messages: readonly InboundMessage[];
  /** The person wants nothing kept of what was said. */
  readonly forgotten?: boolean;
}

/** An event on its way through the agent of a joined identity. */
export interface Via extends Pick<Answerers, "choice" | "at"> {
  readonly agent: AgentId;
  readonly link: string;
  /** The last sequence that agent gave in the conversation, before it forwarded. */
  readonly seq: number;
  /** Of the messages that the event is about, those that agent has seen. */
  readonly known: readonly MessageId[];
}

/** More identities than this are not joined to one person. */
export const mostJoiners = 8;

export const storedLinks = {
  forward: z
    .object({ to: z.string(), link: z.string(), joining: z.string().optional(), issued: z.string().optional() })
    .optional(),
  joiners: z.record(z.string(), z.object({ link: z.string(), latest: z.array(z.string()).optional() })).optional(),
  leaving: z
    .array(
      z.object({
        to: z.string(),
        link: z.string(),
        latest: z.array(z.string()).optional(),
        places: z.array(
          z.object({
            to: address,
            seq: z.number(),
            held: held.optional(),
            choice: agentChoice.optional(),
            at: z.string().optional(),
          }),
        ),
        messages: z.array(inboundEvent),
        forgotten: z.boolean().optional(),
      }),
    )
    .optional(),
};
