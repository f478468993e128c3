/** What is known of a request before it is made, and what another model must not see in it. */
import type { AgentInputItem, ModelRequest } from "@openai/agents";

/** Of an answer whose length nothing bounds, and of a picture or a file. */
const usualAnswer = 500;
const perFile = 1_000;
const charactersPerToken = 4;

/** Roughly what the provider will count: what is sent, and an answer. */
export function estimateTokens({ systemInstructions = "", input, tools, modelSettings }: ModelRequest): number {
  const sent = charactersIn(input) + systemInstructions.length + charactersIn(tools);
  return Math.ceil(sent / charactersPerToken) + (modelSettings.maxTokens ?? usualAnswer);
}

function charactersIn(value: unknown): number {
  if (typeof value === "string") return value.startsWith("data:") ? perFile * charactersPerToken : value.length;
  if (typeof value !== "object" || value === null) return 2;
  if (value instanceof Uint8Array) return perFile * charactersPerToken;
  return Object.entries(value).reduce((sum, [key, item]) => sum + key.length + charactersIn(item), 0);
}

/**
 * The request without what only the model understands that wrote it: ids of its server, its reasoning, its extra fields. Another
 * vendor refuses them, and so does another model of the same one.
 */
export function withoutMarks(request: ModelRequest): ModelRequest {
  if (typeof request.input === "string") return request;
  const input = request.input.flatMap((item): AgentInputItem[] => {
    if (item.type === "reasoning") return [];
    const { id: _id, providerData: _own, ...rest } = item as AgentInputItem & { id?: unknown; providerData?: unknown };
    return [rest as AgentInputItem];
  });
  return { ...request, input };
}
