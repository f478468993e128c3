/** Answers in the two APIs' forms. */
import type { Dialect, Outgoing } from "../../src/channel.ts";
import { escapeMarkdown, hasMarkup } from "../../src/markdown.ts";
import { answerOf, type StoredCall } from "./calls.ts";
import type { Item } from "./conversations.ts";
import { problem } from "./errors.ts";

/** Front ends show markdown, and get the agent's. Text in which nothing is markup needs no escaping either. */
export const dialect: Dialect = {
  render: (markdown) => markdown,
  escape: (plain) => (hasMarkup(plain) ? escapeMarkdown(plain) : plain),
  measure: (rendered) => rendered.length,
};

export function textOf(part: Outgoing): string {
  if (part.kind === "text") return part.text;
  if (part.kind === "location") return part.name ?? `${part.latitude}, ${part.longitude}`;
  const { source, type, name } = part.media;
  const words = [part.caption, source.from === "url" ? source.url : name].filter((line) => line !== undefined);
  return words.length === 0 ? type : words.join("\n\n");
}

const seconds = (ms: number) => Math.floor(ms / 1000);

export const chatId = ({ id }: StoredCall) => `chatcmpl-${id}`;
export const responseId = ({ id }: StoredCall) => `resp_${id}`;
export const answerId = ({ id }: StoredCall) => `msg_${id}`;
/** The call of a response's, a completion's or an answer's id. */
export function callOfId(id: string): string {
  return id.replace(/^(?:(?:resp|msg)_|chatcmpl-)/, "");
}

/** The agent gave no answer: the gateway's own words say so. */
export function failureOf(call: StoredCall) {
  return problem(500, answerOf(call), null, "agent_failed");
}

/** Without `usage`: what a turn took is known to the agent alone, and a guess would be taken for a bill. */
export function chatCompletion(call: StoredCall) {
  const message = { role: "assistant", content: answerOf(call), refusal: null, annotations: [] };
  return {
    id: chatId(call),
    object: "chat.completion",
    created: seconds(call.at),
    model: call.model,
    choices: [{ index: 0, message, logprobs: null, finish_reason: "stop" }],
  };
}

export function chatChunk(call: StoredCall, delta: object, end = false) {
  return {
    id: chatId(call),
    object: "chat.completion.chunk",
    created: seconds(call.at),
    model: call.model,
    choices: [{ index: 0, delta, logprobs: null, finish_reason: end ? "stop" : null }],
  };
}

export function outputText(text: string) {
  return { type: "output_text", text, annotations: [], logprobs: [] };
}

export function outputMessage(call: StoredCall, status: "in_progress" | "completed", text?: string) {
  const content = text === undefined ? [] : [outputText(text)];
  return { id: answerId(call), type: "message", status, role: "assistant", content };
}

/** @param text of the answer, where it is not the stored one: what was streamed. */
export function response(call: StoredCall, text = answerOf(call)) {
  const status = !call.done ? "in_progress" : call.failed ? "failed" : "completed";
  const error = status === "failed" ? { code: "server_error", message: answerOf(call) } : null;
  return {
    id: responseId(call),
    object: "response",
    created_at: seconds(call.at),
    status,
    error,
    incomplete_details: null,
    instructions: null,
    max_output_tokens: null,
    model: call.model,
    output: status === "completed" ? [outputMessage(call, "completed", text)] : [],
    parallel_tool_calls: false,
    previous_response_id: call.previous ?? null,
    reasoning: { effort: null, summary: null },
    store: true,
    temperature: null,
    text: { format: { type: "text" } },
    tool_choice: "auto",
    tools: [],
    top_p: null,
    truncation: "disabled",
    usage: null,
    metadata: call.metadata,
  };
}

export function itemOf({ id, role, text }: Item) {
  const content = role === "user" ? { type: "input_text", text } : outputText(text);
  return { id, type: "message", status: "completed", role, content: [content] };
}

export function modelOf(id: string, created: number) {
  return { id, object: "model", created: seconds(created), owned_by: "ascent" };
}
