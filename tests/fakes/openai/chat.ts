import { usageOf, wordsOf, type Answer, type Frame } from "./answer.ts";
import type { Prompt, ToolCall } from "./types.ts";

/** "The chat completion object". */
export function chatCompletion(prompt: Prompt, answer: Answer): unknown {
  const { text, toolCalls } = answer;
  const calls =
    toolCalls.length === 0 ? {} : { tool_calls: toolCalls.map((call, index) => toolCall(call, answer.id, index)) };
  const message = { role: "assistant", content: text ?? null, refusal: null, ...calls };
  const choice = { index: 0, message, logprobs: null, finish_reason: finishReason(answer) };
  return { ...head(prompt, answer, "chat.completion"), choices: [choice], usage: chatUsage(prompt, answer) };
}

/** "The chat completion chunk object", as server-sent events up to `[DONE]`. */
export function chatFrames(prompt: Prompt, answer: Answer): Frame[] {
  const start = head(prompt, answer, "chat.completion.chunk");
  const usage = prompt.includeUsage ? { usage: null } : {};
  const chunk = (delta: object, finish: string | null = null, paced = false): Frame => {
    const choice = { index: 0, delta, logprobs: null, finish_reason: finish };
    return { data: event({ ...start, choices: [choice], ...usage }), paced };
  };
  const frames = [chunk({ role: "assistant", content: answer.text === undefined ? null : "", refusal: null })];
  for (const word of wordsOf(answer.text ?? "")) frames.push(chunk({ content: word }, null, true));
  for (const [index, call] of answer.toolCalls.entries()) {
    const whole = toolCall(call, answer.id, index);
    const opened = { ...whole, function: { name: call.name, arguments: "" } };
    frames.push(chunk({ tool_calls: [{ index, ...opened }] }));
    frames.push(chunk({ tool_calls: [{ index, function: { arguments: whole.function.arguments } }] }, null, true));
  }
  frames.push(chunk({}, finishReason(answer)));
  if (prompt.includeUsage) {
    frames.push({ data: event({ ...start, choices: [], usage: chatUsage(prompt, answer) }), paced: false });
  }
  frames.push({ data: "data: [DONE]\n\n", paced: false });
  return frames;
}

function head(prompt: Prompt, answer: Answer, object: string) {
  const created = Math.floor(Date.now() / 1_000);
  return {
    id: `chatcmpl-${answer.id}`,
    object,
    created,
    model: prompt.model,
    service_tier: "default",
    system_fingerprint: null,
  };
}

function toolCall(call: ToolCall, id: string, index: number) {
  const named = { name: call.name, arguments: JSON.stringify(call.arguments) };
  return { id: `call_${id}_${index}`, type: "function" as const, function: named };
}

function finishReason(answer: Answer): string {
  return answer.toolCalls.length > 0 ? "tool_calls" : "stop";
}

function chatUsage(prompt: Prompt, answer: Answer) {
  const { input, output } = usageOf(prompt, answer);
  return {
    prompt_tokens: input,
    completion_tokens: output,
    total_tokens: input + output,
    prompt_tokens_details: { cached_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: 0 },
  };
}

function event(value: unknown): string {
  return `data: ${JSON.stringify(value)}\n\n`;
}
