import { tokensIn } from "../tokens.ts";
import type { Prompt } from "./types.ts";

type Json = Readonly<Record<string, unknown>>;

/** How the gateway's agent asks for a summary. */
const summaryTask = /^Summarize\b/;
/** Its lines about what was before: no messages of the turn. */
const summaryLine = /^\[(summary|notes)\]/;

interface Item {
  readonly kind: "system" | "user" | "assistant" | "tool" | "other";
  readonly text: string;
}

/** Reads a body of POST /v1/chat/completions ("Create chat completion"). */
export function chatPrompt(body: Json): Prompt {
  const items = list(body["messages"]).map((message): Item => {
    const text = textOf(message["content"]);
    if (message["role"] === "user") return { kind: "user", text };
    if (message["role"] === "system" || message["role"] === "developer") return { kind: "system", text };
    if (message["role"] === "tool") return { kind: "tool", text };
    const answers = message["role"] === "assistant" && list(message["tool_calls"]).length === 0;
    return { kind: answers ? "assistant" : "other", text };
  });
  const options = body["stream_options"] as { include_usage?: boolean } | null | undefined;
  const tools = list(body["tools"]).map((tool) => String((tool["function"] as Json | undefined)?.["name"]));
  return prompt("chat", body, items, tools, options?.include_usage === true);
}

/** Reads a body of POST /v1/responses ("Create a model response"). */
export function responsesPrompt(body: Json): Prompt {
  const input = body["input"];
  const raw = typeof input === "string" ? [{ role: "user", content: input }] : list(input);
  const items = raw.map((item, index): Item => {
    if (item["type"] === "function_call_output") return { kind: "tool", text: textOf(item["output"]) };
    const text = textOf(item["content"]);
    if (item["role"] === "user") return { kind: "user", text };
    // Words that come with a tool call are no answer yet.
    const answers = item["role"] === "assistant" && raw[index + 1]?.["type"] !== "function_call";
    return { kind: answers ? "assistant" : "other", text };
  });
  const tools = list(body["tools"]).map((tool) => String(tool["name"] ?? tool["type"]));
  return prompt("responses", body, items, tools, true);
}

/** Tokens found in more than one user message: the history must hold each message once. */
export function repeatedTokens(body: Json, api: Prompt["api"]): string[] {
  const seen = new Set<string>();
  const repeated = new Set<string>();
  const messages = api === "chat" ? body["messages"] : body["input"];
  for (const message of list(messages)) {
    if (message["role"] !== "user") continue;
    for (const token of tokensIn(textOf(message["content"]))) {
      if (seen.has(token)) repeated.add(token);
      seen.add(token);
    }
  }
  return [...repeated];
}

function prompt(api: Prompt["api"], body: Json, items: Item[], tools: string[], includeUsage: boolean): Prompt {
  const answered = items.findLastIndex((item) => item.kind === "assistant");
  const open = items.slice(answered + 1);
  const asked = open.filter((item) => item.kind === "user").map((item) => item.text);
  const system = items.find((item) => item.kind === "system")?.text ?? body["instructions"];
  const summary = typeof system === "string" && summaryTask.test(system);
  const turn = summary ? [] : asked.filter((text) => !summaryLine.test(text));
  const lastUser = open.findLastIndex((item) => item.kind === "user");
  const outputs = open.slice(lastUser + 1).filter((item) => item.kind === "tool");
  const instructions = body["instructions"];
  return {
    api,
    model: String(body["model"] ?? ""),
    stream: body["stream"] === true,
    includeUsage,
    turn,
    tokens: tokensIn(turn.join("\n")),
    toSummarize: summary ? asked.join("\n") : undefined,
    toolOutputs: outputs.map((item) => item.text),
    tools,
    messages: items.length,
    characters: items.reduce(
      (sum, item) => sum + item.text.length,
      typeof instructions === "string" ? instructions.length : 0,
    ),
    body,
  };
}

/** A recording that is to be transcribed. */
export function transcriptionPrompt(model: string, file: { readonly name: string; readonly data: Buffer }): Prompt {
  const tokens = tokensIn(file.data.toString("latin1"));
  return {
    api: "transcription",
    model,
    stream: false,
    includeUsage: false,
    turn: [[file.name, ...tokens].join(" ")],
    tokens,
    toSummarize: undefined,
    toolOutputs: [],
    tools: [],
    messages: 0,
    characters: 0,
    body: {},
  };
}

export function embeddingPrompt(body: Readonly<Record<string, unknown>>): Prompt {
  const input = Array.isArray(body["input"]) ? body["input"] : [body["input"]];
  return {
    ...transcriptionPrompt(String(body["model"]), { name: "", data: Buffer.alloc(0) }),
    api: "embedding",
    turn: input.map(String),
    body,
  };
}

function list(value: unknown): readonly Json[] {
  return Array.isArray(value) ? (value as Json[]) : [];
}

/** A content, a string or parts, as text. */
function textOf(content: unknown): string {
  if (typeof content === "string") return content;
  return list(content)
    .map((part) => (typeof part["text"] === "string" ? part["text"] : ""))
    .join("");
}
