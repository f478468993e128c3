/** What is known of a request before it is made, and what another model must not see in it. */
import type { AgentInputItem, ModelRequest } from "@openai/agents";

/** Of an answer whose length nothing bounds, and of a picture or a file. */
const usualAnswer = 500;
const perFile = 1_000;
const charactersPerToken = 4;

/** Fewer than in any usual text: what is reserved should be enough. */
const bytesPerToken = 3;

/** Roughly what the provider will count: what is sent, and an answer. */
export function estimateTokens(request: ModelRequest): number {
  return estimateInput(request) + (request.modelSettings.maxTokens ?? usualAnswer);
}

function estimateInput(request: ModelRequest): number {
  return tokensIn(request, charactersPerToken, (text) => text.length);
}

/** What is sent is hardly more than this, in any language. */
export function mostInput(request: ModelRequest): number {
  return tokensIn(request, bytesPerToken, (text) => Buffer.byteLength(text));
}

/** Of an answer that breaks off, or that the provider did not count. */
export function tokensOfText(text: string): number {
  return Math.ceil(Buffer.byteLength(text) / bytesPerToken);
}

function tokensIn(
  { systemInstructions = "", input, tools }: ModelRequest,
  perToken: number,
  lengthOf: (text: string) => number,
): number {
  const file = perFile * perToken;
  const sizeOf = (value: unknown): number => {
    if (typeof value === "string") return value.startsWith("data:") ? file : lengthOf(value);
    if (typeof value !== "object" || value === null) return 2;
    if (value instanceof Uint8Array) return file;
    return Object.entries(value).reduce((sum, [key, item]) => sum + key.length + sizeOf(item), 0);
  };
  return Math.ceil((sizeOf(input) + lengthOf(systemInstructions) + sizeOf(tools)) / perToken);
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
