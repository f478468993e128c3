/** What POST /v1/chat/completions asks. Pure. */
import { z } from "zod";
import type { Told } from "../../src/message.ts";
import { content, givenOf, textOf } from "./content.ts";
import { RequestError } from "./errors.ts";
import { type Asked, common, conversationOf, fitted, ownTools, unsupported } from "./parse.ts";

const noCalls = unsupported(ownTools);
const message = z.discriminatedUnion("role", [
  z.object({ role: z.enum(["system", "developer", "user"]), content }),
  z.object({
    role: z.literal("assistant"),
    content: content.nullish(),
    refusal: z.string().nullish(),
    tool_calls: noCalls,
    function_call: noCalls,
  }),
]);
type Said = z.infer<typeof message>;

const schema = z.object({
  ...common,
  model: z.string().min(1).max(200),
  messages: z.array(message).min(1).max(10_000),
  tools: unsupported(ownTools),
  functions: unsupported(ownTools),
  tool_choice: unsupported(ownTools, (value) => value !== "none" && value !== "auto"),
  function_call: unsupported(ownTools, (value) => value !== "none" && value !== "auto"),
  n: unsupported("the gateway gives one answer to one message", (value) => value !== 1),
  logprobs: unsupported("an agent's answer has no probabilities"),
  top_logprobs: unsupported("an agent's answer has no probabilities", (value) => value !== 0),
  stop: unsupported("an agent's answer is not cut off"),
  response_format: unsupported("an agent answers in text", isOtherFormat),
  modalities: unsupported("an agent answers in text", (value) => JSON.stringify(value) !== '["text"]'),
  audio: unsupported("an agent answers in text"),
  web_search_options: unsupported(ownTools),
});

export function isOtherFormat(value: unknown): boolean {
  return !(typeof value === "object" && value !== null && "type" in value && value.type === "text");
}

/** @throws RequestError */
export function parseChat(headers: Headers, body: Record<string, unknown>): Asked {
  const asked = fitted(schema, body);
  const { messages } = asked;
  const last = messages.at(-1);
  if (last?.role !== "user") {
    throw new RequestError("messages: the last one must be the user's, since it is what is answered", {
      param: "messages",
    });
  }
  const given = givenOf(last.content, `messages[${messages.length - 1}].content`);
  if (given.length === 0) throw new RequestError("messages: the last one is empty", { param: "messages" });
  const metadata = asked.metadata ?? {};
  const conversation = conversationOf(headers, metadata);
  return {
    api: "chat",
    model: asked.model,
    stream: asked.stream ?? false,
    user: asked.safety_identifier ?? asked.user ?? "",
    ...(conversation !== undefined && { conversation }),
    before: conversation === undefined ? messages.slice(0, -1).flatMap(toldOf) : [],
    given,
    metadata,
  };
}

function toldOf(said: Said): Told[] {
  const words = said.role === "assistant" ? [said.content ?? "", said.refusal ?? ""] : [said.content];
  const text = words
    .map(textOf)
    .filter((one) => one.trim() !== "")
    .join("\n");
  return text === "" ? [] : [{ role: roleOf(said.role), text }];
}

/** A caller's instructions are words about the conversation to the agent, which has instructions of its operator's. */
export function roleOf(role: "system" | "developer" | "user" | "assistant"): Told["role"] {
  return role === "user" ? "user" : role === "assistant" ? "agent" : "note";
}
