/** What can happen to a client agent, and what it asks to be done: the vocabulary of the reducer in `conversation.ts`. */
import type { Pause, ReadPart } from "./agent.ts";
import type { AgentChoice } from "./agent-choice.ts";
import type { AgentId, ConversationId, MessageId, TurnId } from "./ids.ts";
import type { Asking } from "./question-state.ts";
import type { LinkEvent, Serving } from "./link-events.ts";
import type { Via } from "./link-state.ts";
import type {
  Address,
  Answer,
  InboundEvent,
  Made,
  Message,
  NoticeKey,
  OutboundEvent,
  ReceiptEvent,
} from "./message.ts";
import type { NoteChange } from "./notes.ts";
import type { SetAside } from "./ports.ts";
import type { AgentState, StoppedTurn } from "./state.ts";
import type { TakeoverEvent } from "./takeover-events.ts";
import type { WantedPerson } from "./takeover-state.ts";

export interface Moment {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** The process that handles the event and would run a turn. */
  readonly instance: string;
}
/** One attempt of one turn. */
export interface TurnRef {
  readonly conversation: ConversationId;
  readonly turn: TurnId;
  readonly attempt: number;
}

/** A run that stopped before calls that need somebody's word. See `asks.ts`. */
export interface Asked {
  readonly id: string;
  readonly by: Pause["by"];
  readonly state: string;
  /** The agent whose run it is, where there are several. */
  readonly agent?: string;
}

/** Who answered, where there are several agents. */
export interface Speaker {
  readonly name: string;
  readonly title: string;
  /** The one that is left at work there. */
  readonly at: string;
  /** What the conversation has from now on; absent where it stays as it was. */
  readonly choice?: AgentChoice;
}

/** To whom a turn's messages were said, however it ends. */
export interface Addressed {
  readonly by?: Speaker;
  /** What the command went on to say, and an agent was told; absent where the messages are no command. */
  readonly words?: Message;
}

/** What people are told once in a period; messages that come to the same after it are set aside by the rule. */
export interface Once {
  readonly period: string;
  readonly rule: string;
}

/** A person's own word on what is noted of them. */
export type MemoryChange = { readonly kind: "delete"; readonly n: number } | { readonly kind: "clear" | "off" | "on" };

export type AgentEvent = Moment &
  (
    | LinkEvent
    | TakeoverEvent
    | {
        readonly type: "received";
        readonly agent: AgentId;
        readonly event: InboundEvent;
        /** What the conversation's running turn took, where it is known. */
        readonly taken?: readonly MessageId[];
        /** Those published before it, the latest first: see `inbound.ts`. */
        readonly previous?: readonly MessageId[];
        /** So long the bus has kept it for something before it: see "early". */
        readonly heldMs?: number;
        readonly via?: Via;
      }
    | (TurnRef &
        Addressed & {
          readonly type: "finished";
          readonly agent: AgentId;
          readonly messages: readonly MessageId[];
          readonly answer: Answer;
          readonly read?: readonly ReadPart[];
          /** What the agent noted in this turn, in its order. */
          readonly notes?: readonly NoteChange[];
          readonly outside?: true;
          /** The platform shows the answer's buttons as a numbered list. */
          readonly listed?: boolean;
          /** The run goes on when somebody has decided; the answer asks for it. */
          readonly asked?: Asked;
          readonly wanted?: WantedPerson;
          readonly made?: Made;
          /** Questions of its tools whose answers reached them; all unless given. */
          readonly heard?: readonly string[];
        })
    | (TurnRef &
        Addressed & {
          readonly type: "failed";
          readonly agent: AgentId;
          readonly messages: readonly MessageId[];
          readonly notice: NoticeKey;
          readonly once?: Once | undefined;
        })
    /** A tool of the turn has a question for the person. */
    | (TurnRef & {
        readonly type: "questioned";
        readonly agent: AgentId;
        readonly asking: Asking;
        readonly listed?: boolean;
      })
    /** Nobody waits for the answer to it any more. */
    | (TurnRef & { readonly type: "unquestioned"; readonly id: string })
    /** The runners of these turns are silent. */
    | { readonly type: "silent"; readonly agent: AgentId; readonly turns: readonly TurnRef[] }
    /** The runner of this turn stops before its end. */
    | (TurnRef & { readonly type: "abandoned" })
    /** The wait for a missing message is over. */
    | {
        readonly type: "waited";
        readonly agent: AgentId;
        readonly conversation: ConversationId;
        readonly missing: MessageId;
      }
    /** Nobody has decided in time. */
    | {
        readonly type: "expired";
        readonly agent: AgentId;
        readonly conversation: ConversationId;
        readonly ask: string;
        /** The turn that asks. */
        readonly turn?: TurnId;
      }
    /** The journal has these. */
    | { readonly type: "journaled"; readonly entries: readonly SetAside[] }
    /** Whoever works beside turns is to know of these, or knows of them now. */
    | { readonly type: "stopped" | "stopsTold"; readonly turns: readonly StoppedTurn[] }
    /** All entries of a conversation up to a sequence are sent or given up. */
    | {
        readonly type: "settled";
        readonly upTo: readonly { readonly conversation: ConversationId; readonly seq: number }[];
      }
    | { readonly type: "undelivered"; readonly receipt: ReceiptEvent }
    /** An operator wants a given-up answer sent again; `id` makes it once. */
    | { readonly type: "resend"; readonly id: MessageId; readonly entry: OutboundEvent }
    /** The person changes what is noted. */
    | (Serving & { readonly type: "noted"; readonly agent: AgentId; readonly change: MemoryChange })
    /** The history's items up to and including a turn's are in the summary now. */
    | { readonly type: "summarized"; readonly through: TurnId; readonly summary: string }
  );

export type Effect =
  | (TurnRef & { readonly kind: "start" })
  | (TurnRef & { readonly kind: "cancel" })
  /** A question of this turn's is answered, or nobody waits for it any more. */
  | (TurnRef & { readonly kind: "wake" })
  | { readonly kind: "wait"; readonly conversation: ConversationId; readonly missing: MessageId }
  | { readonly kind: "deliver"; readonly entry: OutboundEvent }
  /** Conversations of the state's `leaving` are to be given back. */
  | { readonly kind: "release" }
  /** The takeover of that id is over, by an operator, the "person", or "nobody". */
  | { readonly kind: "handBack"; readonly to: Address; readonly id: string; readonly by: string };

/**
 * What the caller is told: "duplicate" and "stale" changed nothing; "full" and "unwatched" ask for a redelivery later, the
 * first because too much is waiting, the second because no watchdog could be armed yet; so does "early", because what was told
 * before it may be under way. "busy" asks for another try when what runs has ended; "refused" is for good.
 */
export type Reply = "accepted" | "duplicate" | "stale" | "full" | "unwatched" | "early" | "busy" | "refused";

export interface Step {
  readonly state: AgentState;
  readonly effects: readonly Effect[];
  readonly reply: Reply;
  /** Keys of a `seen:` key that changed or are over. */
  readonly seen: { readonly put: readonly string[]; readonly remove: readonly string[] };
  /** Conversations that are put away with this step, or changed where they are. */
  readonly quiet: readonly ConversationId[];
  /** Keys of messages behind those of the inbox that changed or are over. */
  readonly spilled: { readonly put: readonly string[]; readonly remove: readonly string[] };
  /** Rows beside the state; undefined: it is removed. */
  readonly rows: ReadonlyMap<string, unknown>;
}
