/** What an agent's actor can be asked, and who runs its turns. */
import type { Found, HistoryItem, ReadPart } from "./agent.ts";
import type { AgentChoice, Who } from "./agent-choice.ts";
import type { Decision } from "./asks.ts";
import type { Addressed, Asked, MemoryChange, Once, Reply, TurnRef } from "./events.ts";
import type { AgentId, ConversationId, MessageId, TurnId } from "./ids.ts";
import type { Import, Serving } from "./link-events.ts";
import type { Note, NoteChange } from "./notes.ts";
import type { MissionOrder } from "./mission-order.ts";
import type { Asking, QuestionState } from "./question-state.ts";
import type { Leaving, Via } from "./link-state.ts";
import type {
  Address,
  Answer,
  InboundEvent,
  InboundMessage,
  Made,
  NoticeKey,
  OutboundEvent,
  ReceiptEvent,
} from "./message.ts";
import type { HandingBack, Lapsing, Overheard, Speaking, Taking } from "./takeover-events.ts";
import type { WantedPerson } from "./takeover-state.ts";

/** What a runner is given when it builds the prompt. */
export interface Taken {
  readonly to: Address;
  readonly messages: readonly InboundMessage[];
  readonly summary?: string;
  readonly history: readonly HistoryItem[];
  /** What the turn may know; absent where the person wants none. */
  readonly notes?: readonly Note[];
  /** The message is somebody's word on a run that waited for it. */
  readonly decided?: Decided;
  readonly choice?: AgentChoice;
  /** The agent whose business these messages are, whoever answers there now. */
  readonly begunBy?: string;
}

export interface Decided {
  /** The turn that stopped. */
  readonly turn: TurnId;
  /** As {@link Pause.state}. */
  readonly state: string;
  readonly decision: Decision;
  /** The agent whose run it is. */
  readonly agent?: string;
}

/** What an agent keeps of its person. */
export interface Holdings {
  readonly summary?: string;
  readonly items: readonly HistoryItem[];
  /** What was before the items, where it was asked for. */
  readonly past?: readonly HistoryItem[];
  readonly notes: readonly Note[];
  readonly notesOff: boolean;
  readonly media: readonly string[];
  readonly conversations: readonly { readonly to: Address; readonly linked: boolean }[];
  /** Agents whose conversations these are too. */
  readonly joiners: readonly AgentId[];
  /** How many answers were ever given. */
  readonly answers: number;
}

/** The actor's methods: data in, reply out; all of it JSON. */
export interface AgentCalls {
  /** `previous` and `earlier`: the events before it, the latest first, as its ingress saw them. */
  receive(data: { event: InboundEvent; previous?: MessageId; earlier?: readonly MessageId[]; via?: Via }): Reply;
  take(data: TurnRef): Taken | "stale";
  finish(
    data: TurnRef &
      Addressed & {
        messages: readonly MessageId[];
        answer: Answer;
        read?: readonly ReadPart[];
        notes?: readonly NoteChange[];
        outside?: true;
        listed?: boolean;
        asked?: Asked;
        wanted?: WantedPerson;
        made?: Made;
        heard?: readonly string[];
      },
  ): Reply;
  fail(
    data: TurnRef & Addressed & { messages: readonly MessageId[]; notice: NoticeKey; once?: Once | undefined },
  ): Reply;
  /** A runner's sign of life, from its fifth second on. */
  alive(data: TurnRef): "accepted" | "stale";
  /** Its runner stops before its end: the agent's next host starts it again at once. @returns one of its messages. */
  abandon(data: TurnRef): InboundMessage | "stale";
  /** "busy" while a word on it waits, or the turn that asks has not ended. */
  expire(data: { conversation: ConversationId; ask: string; turn?: TurnId }): Reply;
  /** A tool of the turn asks the person; again under the same id it is the same question. "busy": another one is open. */
  question(data: TurnRef & { asking: Asking; listed?: boolean }): Reply;
  replied(data: { conversation: ConversationId; id: string }): QuestionState;
  unquestion(data: TurnRef & { id: string }): Reply;
  waited(data: { conversation: ConversationId; missing: MessageId }): Reply;
  /** The person's own word on what is noted; answered with it. */
  note(data: Serving & { change: MemoryChange }): Reply;
  /** In all that the agent has of its conversations. */
  search(data: { query: string }): readonly Found[];
  summarized(data: { through: TurnId; summary: string }): Reply;
  undelivered(data: ReceiptEvent): Reply;
  /** Answers are acknowledged to the bus that are not sent yet: from now on somebody must look after them. */
  watch(data: Record<string, never>): Reply;
  resend(data: { id: MessageId; entry: OutboundEvent }): Reply;
  /** An operator has it from then on; "duplicate" where they have it already. @see takeover.ts, also for the next ones. */
  takeOver(data: Taking): Reply;
  speak(data: Speaking): Reply;
  handBack(data: HandingBack): Reply;
  lapse(data: Lapsing): Reply;
  overheard(data: { conversation: ConversationId }): Overheard | "stale";
  /** To the agent of the identity that gave a code, asked by the command that brought it. @see merging.ts, also for the next ones. */
  join(data: Serving & { link: string; to: AgentId; issued?: ConversationId }): Reply;
  import(data: Import): Reply;
  joined(data: { link: string }): Reply;
  declined(data: { link: string }): Reply;
  unlink(data: Serving): Reply;
  left(data: Leaving): Reply;
  released(data: { link: string }): Reply;
  holdings(data: { past?: true }): Holdings;
  /** @param data as {@link Holdings} were when all of them was deleted: "busy" where there is more now. */
  forget(data: Serving & { media: number; answers: number }): Reply;
  /** By whom this agent is hosted, off its lock: nothing of its own. */
  mission(data: MissionOrder): unknown;
  /**
   * Deletes all of the agent, as if it had never been; "busy" while it owes anything, "refused" where anything came after that
   * day (since the epoch), or where it is a part of somebody known elsewhere.
   */
  end(data: { after: number }): Reply;
}
export type CallAgent = <Method extends keyof AgentCalls>(
  id: AgentId,
  method: Method,
  data: Parameters<AgentCalls[Method]>[0],
) => Promise<ReturnType<AgentCalls[Method]>>;

/** Runs turns off the lock, in this process. */
export interface TurnRunner {
  /** Returns at once; the turn comes back by a call of the agent. */
  start(agent: AgentId, to: Address, turn: TurnRef): void;
  cancel(agent: AgentId, turn: TurnRef): void;
  /** Something has come of a question that it asks. */
  wake(agent: AgentId, turn: TurnRef): void;
  isRunning(agent: AgentId, turn: TurnRef): boolean;
  /** Folds these items into the summary, one fold of an agent at a time. */
  fold(agent: AgentId, to: Address, who: Who, summary: string | undefined, items: readonly HistoryItem[]): void;
}
