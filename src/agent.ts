/**
 * The agent port: who answers. `agents/client` implements it on the OpenAI Agents SDK; the core knows only this.
 */
import type { Address, Answer, InboundMessage, MediaPart, Participant } from "./message.ts";
import type { ModelCaller, ModelWait } from "./model-line.ts";
import type { AskPerson } from "./tools.ts";
import type { AgentId, MessageId, TurnId } from "./ids.ts";

/** How a medium of a message stands in the history: what was heard in it, or read. */
export interface ReadPart {
  readonly message: MessageId;
  /** Its place among the message's parts. */
  readonly part: number;
  readonly text: string;
}

/** What the agent remembers of the conversation, oldest first. Text is markdown. */
export interface HistoryItem {
  /** "operator": a person of the operator's, `name`, said it to the person. */
  readonly role: "user" | "agent" | "note" | "operator";
  readonly text: string;
  readonly at: number;
  readonly turn: TurnId;
  /** The message this item came from, for edits and deletions; absent for the agent's own. */
  readonly message?: MessageId;
  readonly name?: string;
  /** The agent said it with content from outside before it, which it may pass on; see {@link TurnOutput.outside}. */
  readonly outside?: true;
  /** What of the text stands for media of the message: kept where it is edited later. */
  readonly read?: readonly Pick<ReadPart, "part" | "text">[];
}

export interface TurnInput {
  readonly agent: AgentId;
  readonly turn: TurnId;
  /** 1 for the first run of this turn; the idempotency key of every side effect is the turn's id, never the attempt. */
  readonly attempt: number;
  readonly to: Address;
  readonly participant: Participant;
  readonly summary: string | undefined;
  readonly history: readonly HistoryItem[];
  /** The new messages, in order: at least one. */
  readonly messages: readonly InboundMessage[];
  /** A run that waited for a word goes on: with it, and with what was said since as `messages`. */
  readonly resume?: Resume;
}

/** A call of a tool that waits for the word of the person, or of an operator. */
export interface AskedCall {
  readonly tool: string;
  /** JSON as the model wrote it. */
  readonly args: string;
}

/** A run that stopped before calls that need somebody's word. */
export interface Pause {
  /** The agent's own, to go on with: without secrets. */
  readonly state: string;
  readonly calls: readonly AskedCall[];
  readonly by: "person" | "operator";
  /** How long the word is waited for. */
  readonly forMs: number;
  /** Who asked is not shown the calls: they hold what is held back from them. */
  readonly unshown?: true;
}

export interface Resume {
  /** As {@link Pause.state}. */
  readonly state: string;
  /** The turn that stopped: its messages are in the state, not to be told again. */
  readonly turn: TurnId;
  readonly approved: boolean;
  /** What the one who decided said about it. */
  readonly note?: string;
}

export interface TurnHooks {
  /** Aborted when the turn is stopped, superseded or out of time. */
  readonly signal: AbortSignal;
  /** The whole text so far; it may start again shorter. Absent where nobody watches: the agent then need not stream. */
  readonly onText?: (text: string) => void;
  /** What it is doing meanwhile, in a few words, for the person to see. */
  readonly onProgress?: (text: string) => void;
  /** Its model is asked by too many at once, and it stands in line until it is told `undefined`: that time is not the turn's. */
  readonly onWait?: (wait: ModelWait | undefined) => void;
  /** Asks the person while a tool's call waits. Absent where nobody could answer. */
  readonly onQuestion?: AskPerson | undefined;
  /** A person of the operator's can take over here. */
  readonly mayHandOver?: boolean;
  /** Bytes of a medium of one of the messages. */
  readonly openMedia: (
    media: MediaPart,
  ) => Promise<{ readonly body: ReadableStream<Uint8Array>; readonly type: string }>;
}

export interface TurnOutput {
  /** With `pause`: what there is to say before the question, mostly nothing. */
  readonly answer: Answer;
  readonly pause?: Pause;
  /** A person of the operator's is to take over, with the reason for them: `answer` may have no parts then. */
  readonly handsOver?: { readonly reason: string };
  readonly read?: readonly ReadPart[];
  /** What was said may come of content from outside: of a file, a tool, another agent, or of what did before. */
  readonly outside?: true;
  readonly usage?: { readonly inputTokens: number; readonly outputTokens: number; readonly requests: number };
}

export interface Agent {
  /**
   * @throws TerminalError when the model fails for good, after the agent's own retries; the user is then told so.
   *   An abort rejects with the signal's reason.
   */
  run(input: TurnInput, hooks: TurnHooks): Promise<TurnOutput>;

  /** Folds older history into the summary. Called off the critical path; a rejection is tried again at the next turn. */
  summarize(input: {
    readonly summary: string | undefined;
    readonly items: readonly HistoryItem[];
    readonly signal: AbortSignal;
    /** Whose history it is. */
    readonly caller?: ModelCaller;
  }): Promise<string>;
}

/** The settings of an agent that the core itself acts on. */
export interface AgentTraits {
  /** A message that comes in while a turn runs waits for the next one, or interrupts it. */
  readonly whileRunning: "queue" | "interrupt";
  readonly turnTimeoutMs: number;
  /** Items of history handed to a turn at least; from twice as many on, the older ones are folded into the summary. */
  readonly historyItems: number;
}
