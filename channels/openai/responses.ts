/** What POST /v1/responses asks. Pure. */
import { z } from "zod";
import { isOtherFormat, roleOf } from "./chat.ts";
import { content, givenOf, textOf, type Content } from "./content.ts";
import { RequestError } from "./errors.ts";
import { type Asked, common, conversationOf, fitted, ownTools, unsupported } from "./parse.ts";

const item = z.union([
  z.object({
    type: z.literal("message").optional(),
    role: z.enum(["system", "developer", "user", "assistant"]),
    content,
  }),
  /** An answer of this gateway's, by its id. */
  z.object({ type: z.literal("item_reference"), id: z.string().max(200) }),
  z.object({ type: z.literal("reasoning") }),
]);
const conversation = z.union([z.string(), z.object({ id: z.string() })]);

const schema = z.object({
  ...common,
  model: z.string().min(1).max(200).default("ascent"),
  input: z.union([z.string(), z.array(item).max(10_000)]),
  instructions: z.string().nullish(),
  previous_response_id: z.string().max(200).nullish(),
  conversation: conversation.nullish(),
  tools: unsupported(ownTools),
  tool_choice: unsupported(ownTools, (value) => value !== "none" && value !== "auto"),
  text: unsupported("an agent answers in text", (value) => {
    const format = typeof value === "object" && value !== null && "format" in value ? value.format : undefined;
    return format !== undefined && format !== null && isOtherFormat(format);
  }),
  top_logprobs: unsupported("an agent's answer has no probabilities", (value) => value !== 0),
  background: unsupported("send the request, and ask for it by its Idempotency-Key again"),
  prompt: unsupported("an agent has the instructions of its configuration"),
});

/** @throws RequestError */
export function parseResponses(headers: Headers, body: Record<string, unknown>): Asked {
  const asked = fitted(schema, body);
  const items = typeof asked.input === "string" ? [{ role: "user" as const, content: asked.input }] : asked.input;
  const last = items.at(-1);
  if (last === undefined || !("role" in last) || last.role !== "user") {
    throw new RequestError("input: the last item must be the user's message, since it is what is answered", {
      param: "input",
    });
  }
  const given = givenOf(last.content, typeof asked.input === "string" ? "input" : `input[${items.length - 1}].content`);
  if (given.length === 0) throw new RequestError("input: the message is empty", { param: "input" });
  const metadata = asked.metadata ?? {};
  const own = typeof asked.conversation === "string" ? asked.conversation : asked.conversation?.id;
  const name = conversationOf(headers, metadata, own);
  const previous = asked.previous_response_id ?? undefined;
  if (previous !== undefined && name !== undefined) {
    const message = "previous_response_id: the conversation is named already; give one of the two";
    throw new RequestError(message, { param: "previous_response_id" });
  }
  const known = name !== undefined || previous !== undefined;
  return {
    api: "responses",
    model: asked.model,
    stream: asked.stream ?? false,
    user: asked.safety_identifier ?? asked.user ?? "",
    ...(name !== undefined && { conversation: name }),
    ...(previous !== undefined && { previous }),
    before: known ? [] : [...noteOf(asked.instructions), ...items.slice(0, -1).flatMap(toldOf)],
    given,
    metadata,
  };
}

function noteOf(instructions: string | null | undefined): Asked["before"] {
  return (instructions ?? "").trim() === "" ? [] : [{ role: "note", text: instructions ?? "" }];
}

function toldOf(one: z.infer<typeof item>): Asked["before"] {
  if ("role" in one) {
    const text = textOf(one.content satisfies Content);
    return text.trim() === "" ? [] : [{ role: roleOf(one.role), text }];
  }
  return "id" in one ? [{ ref: one.id }] : [];
}
