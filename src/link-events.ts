/** What can happen to an agent about its links: see `merging.ts`. */
import type { HistoryItem } from "./agent.ts";
import type { AgentId, ConversationId, MessageId, TurnId } from "./ids.ts";
import type { Leaving, Place } from "./link-state.ts";
import type { InboundEvent, InboundMessage } from "./message.ts";
import type { Note } from "./notes.ts";

/** All that the person's agent takes over of a joiner, once. */
export interface Import {
  /** Names the link: the same for every attempt. */
  readonly link: string;
  readonly from: AgentId;
  readonly summary?: string;
  readonly items: readonly HistoryItem[];
  readonly media: readonly string[];
  /** What its history had no place for any more. */
  readonly past?: readonly HistoryItem[];
  readonly notes?: readonly Note[];
  readonly notesOff?: boolean;
  readonly places: readonly Place[];
  /** Without an answer so far, but for the command that asked for the link. */
  readonly messages: readonly InboundMessage[];
  readonly command: InboundMessage;
  readonly issued?: ConversationId;
}

/** A turn that serves this command. */
export interface Serving {
  readonly conversation: ConversationId;
  readonly turn: TurnId;
  readonly attempt: number;
  readonly command: MessageId;
}

export type LinkEvent =
  /** The joiner stands still from here on, until it is known whether the person's agent took over. */
  | (Serving & {
      readonly type: "joining";
      readonly link: string;
      readonly to: AgentId;
      readonly issued: ConversationId | undefined;
    })
  | { readonly type: "joined"; readonly link: string }
  | { readonly type: "declined"; readonly link: string }
  /** The person's agent has an event of the joiner. */
  | { readonly type: "forwarded"; readonly event: InboundEvent }
  /** The person's agent takes over. */
  | (Import & { readonly type: "linked"; readonly agent: AgentId })
  /** The person's agent gives back: what the command's identity joined with, or all of them where it is the person's own. */
  | (Serving & { readonly type: "unlinked"; readonly agent: AgentId })
  /** The joiner has its conversations back. */
  | (Leaving & { readonly type: "left"; readonly agent: AgentId })
  /** … and the person's agent knows it. */
  | { readonly type: "released"; readonly link: string }
  | (Serving & { readonly type: "forgotten"; readonly agent: AgentId });
