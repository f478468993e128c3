/** What a request asks, read the same way from both APIs. */
export interface Prompt {
  /** A transcription's turn is the name of its file and the tokens found in its bytes; an embedding's its texts. */
  readonly api: "chat" | "responses" | "transcription" | "embedding";
  readonly model: string;
  readonly stream: boolean;
  readonly includeUsage: boolean;
  /** Texts of the user messages since the assistant last answered: the turn that the answer covers. */
  readonly turn: readonly string[];
  /** Tokens of the turn, in order ("tokens.ts"). */
  readonly tokens: readonly string[];
  /** What is to be summarized, where that is the task: such a request answers no message, and has no turn. */
  readonly toSummarize: string | undefined;
  /** Outputs of tools called after the last user message. */
  readonly toolOutputs: readonly string[];
  /** Names of the functions on offer. */
  readonly tools: readonly string[];
  readonly messages: number;
  readonly characters: number;
  readonly body: Readonly<Record<string, unknown>>;
}

export interface ToolCall {
  readonly name: string;
  readonly arguments: Readonly<Record<string, unknown>>;
}

export type Failure =
  /** An error answer in OpenAI's form; `retryAfter` seconds go into Retry-After. */
  | { readonly kind: "status"; readonly status: number; readonly retryAfter?: number; readonly message?: string }
  /** 200 with a body that is no JSON, or a stream whose events are none. */
  | { readonly kind: "garbage" }
  /** The first half of the answer, then the connection is closed. */
  | { readonly kind: "half" }
  | { readonly kind: "close" }
  | { readonly kind: "hang" };

export interface Reply {
  /** Absent with tool calls only; the default is the echo, or the summary where one is asked for. */
  readonly text?: string;
  readonly toolCalls?: readonly ToolCall[];
  /** Time to the first byte, over the fake's setting. */
  readonly latencyMs?: number;
  /** Pace of a stream, over the fake's setting; 0 sends it at once. */
  readonly tokensPerSecond?: number;
  readonly failure?: Failure;
}

/** A reply by rule, settable from another process. The first that fits wins. */
export interface Rule {
  /** Fits where the turn's text contains this. */
  readonly contains?: string;
  /** Fits where this regular expression matches the turn's text. */
  readonly pattern?: string;
  readonly model?: string;
  /** Gone after this many uses. */
  readonly times?: number;
  /** Tool calls are made only where all their tools are on offer and none has answered yet in this turn. */
  readonly reply: Reply;
}

export interface Pace {
  readonly latencyMs: number;
  readonly tokensPerSecond: number;
}

/** A request of the model. Times are the fake's monotonic milliseconds. */
export interface RequestEntry {
  readonly seq: number;
  readonly at: number;
  readonly api: Prompt["api"];
  readonly model: string;
  readonly stream: boolean;
  readonly messages: number;
  readonly characters: number;
  /** Tokens of the turn: which user messages this request would answer. */
  readonly tokens: readonly string[];
  /** It asked for a summary of the history. */
  readonly summary: boolean;
  /** Tokens that stand in more than one user message of the prompt: a turn the history holds twice. */
  readonly repeated: readonly string[];
  status?: number;
  endedAt?: number;
  /** "aborted": the client went away before its answer was complete. */
  outcome?: "answered" | "failed" | "aborted";
}
