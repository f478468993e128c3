/**
 * Tools that come from outside of an agent: MCP servers, skilled agents, the gateway itself. `agents/client` hands them to its
 * model; policy and approvals lie between the two, once for all sources.
 *
 * Whatever a source says (names, descriptions, results) is data: it never changes which tools are offered, or what they may do.
 */
import type { AgentId, TurnId } from "./ids.ts";
import type { Address, Answer, MediaPart, Participant } from "./message.ts";

export const needs = ["nothing", "person", "operator", "refuse"] as const;
/** The word of the person who asked, or an operator's; or the call is refused whoever asks. */
export type Need = (typeof needs)[number];

export interface ToolSpec {
  /** Letters, digits, "_" and "-"; at most 64; unique within its source. */
  readonly name: string;
  readonly description: string;
  /** JSON Schema of an object. */
  readonly parameters: Readonly<Record<string, unknown>>;
  /**
   * What a second call with the same key does: "none" changes nothing anywhere, "idempotent" is done once however often it is
   * asked, "once" would be done again: it is never asked a second time.
   */
  readonly effect: "none" | "idempotent" | "once";
  /**
   * The source keeps by the key what it was asked first, and tells what comes of that, also where a later attempt at the turn asks in
   * other words: no ledger stands before it.
   */
  readonly keeps?: true;
}

/** For whom a tool is offered and called. */
export interface ToolCaller {
  readonly agent: AgentId;
  /** The agent's name in the configuration. */
  readonly agentName: string;
  readonly to: Address;
  readonly participant: Participant;
}

/** A file of the turn's new messages. */
export interface CallFile {
  readonly part: MediaPart;
  /** Its bytes. @throws where they cannot be had. */
  readonly open: () => Promise<{ readonly body: ReadableStream<Uint8Array> }>;
}

export interface ToolCall extends ToolCaller {
  readonly turn: TurnId;
  /** Idempotency key: the same for every attempt of the same call, and of no other call of any agent. */
  readonly key: string;
  /** Fits the tool's `parameters` as far as the model kept to them. */
  readonly args: unknown;
  readonly signal: AbortSignal;
  /** What it is doing, in a few words, for the person to see. Best effort. */
  readonly progress: (text: string) => void;
  /** Absent where nobody could answer while the call waits. */
  readonly ask?: AskPerson | undefined;
  readonly files: readonly CallFile[];
  /** The agents that the turn's messages came through, the first one first: see `chain.ts`. */
  readonly chain: readonly string[];
}

/** Asks the person of the turn while a call waits. */
export type AskPerson = (question: {
  /** 16 letters, digits, "_" and "-": the same whenever the same call asks the same, and of no other question. */
  readonly id: string;
  /** Who asks, for the person to see. */
  readonly from: string;
  /** Shown as it is, never as markup. */
  readonly text: string;
  /** What there is to choose from; absent: any text is an answer. */
  readonly options?: readonly { readonly id: string; readonly label: string }[];
  readonly forMs: number;
  readonly signal: AbortSignal;
}) => Promise<PersonReply>;

/** "silent": nobody answered in time. */
export type PersonReply =
  | { readonly kind: "said"; readonly text: string }
  | { readonly kind: "chose"; readonly option: string }
  | { readonly kind: "declined" }
  | { readonly kind: "silent" };

export interface ToolResult {
  /** For the model, marked as data where it is shown. */
  readonly text: string;
  /** What goes to the person together with the answer. */
  readonly parts?: Answer["parts"];
  readonly failed?: true;
}

export interface ToolSource {
  /** As {@link ToolSpec.name}. The model sees its tools as "<source>__<tool>". */
  readonly name: string;
  /** What its tools with effects need where no rule of the operator's says otherwise. */
  readonly needs: Need;
  /** Each agent has others by the same names. */
  readonly ofAgent?: true;
  /** What this caller may use now. A source that cannot be reached offers nothing and says so in the log: it never rejects. */
  list(caller: ToolCaller, signal: AbortSignal): Promise<readonly ToolSpec[]>;
  /** What is under way here for this caller, for the model to know of as data: JSON. Undefined where nothing is. */
  standing?(caller: ToolCaller & { readonly turn: TurnId }): Promise<unknown>;
  /** Tools of other sources that this call will have used: it needs what the strictest of them does, and is nobody's who lacks one. */
  implies?(
    name: string,
    args: unknown,
  ): readonly {
    readonly source: string;
    readonly tool: string;
    readonly args: unknown;
    /** It is made with what others have answered before. */
    readonly content: boolean;
  }[];
  /** What of a call the person gets to see as it is, now or later: it is checked as the agent's answers are. */
  shows?(name: string, args: unknown): readonly string[];
  /** @throws InputError whose words the model is told; of any other error it learns only that there was one. */
  call(name: string, call: ToolCall): Promise<ToolResult>;
}
