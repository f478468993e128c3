/** What operators do in conversations, and what they are shown of them: see `takeover.ts`. */
import type { HistoryItem } from "./agent.ts";
import type { AgentId, ConversationId, MessageId, TurnId } from "./ids.ts";
import type { Via } from "./link-state.ts";
import type { Address, Answer } from "./message.ts";
import type { Held } from "./takeover-state.ts";

/** An operator takes it. */
export interface Taking {
  readonly to: Address;
  /** Of the takeover, where this begins one. */
  readonly id: string;
  readonly by: string;
  readonly silentMs?: number;
  /** Also from another operator. */
  readonly force?: boolean;
  readonly via?: Via;
}

/** What whoever acts takes for true. */
interface Acting {
  readonly conversation: ConversationId;
  readonly by: string;
  /** As {@link Held}'s; absent: whichever. */
  readonly n?: number;
}
export interface Speaking extends Acting {
  /** The caller's own, so that the same words are said once. */
  readonly message: MessageId;
  readonly answer: Answer;
}
export interface HandingBack extends Acting {
  /** Also what another operator has. */
  readonly force?: boolean;
  /** For the agent, as data. */
  readonly note?: string;
}
/** A time has come, by whose clock is the job's to say. */
export interface Lapsing {
  readonly conversation: ConversationId;
  readonly id: string;
  /** As it was when the job was made. */
  readonly until: number;
  /** The turn that asks. */
  readonly turn?: TurnId;
}

export type TakeoverEvent = { readonly agent: AgentId } & (
  | (Taking & { readonly type: "taken" })
  | (Speaking & { readonly type: "spoken" })
  | (HandingBack & { readonly type: "handedBack" })
  /** Its time is over, perhaps. */
  | (Lapsing & { readonly type: "lapsed" })
);

/** What an operator has to know to answer. */
export interface Overheard {
  readonly held?: Held;
  /** The latest of what the agent remembers, the oldest first. */
  readonly items: readonly Pick<HistoryItem, "role" | "text" | "at" | "name">[];
}
