import { usageOf, wordsOf, type Answer, type Frame } from "./answer.ts";
import type { Prompt } from "./types.ts";

/** "The response object". */
export function responseObject(prompt: Prompt, answer: Answer): unknown {
  return { ...head(prompt, answer, "completed"), output: outputItems(answer), usage: responseUsage(prompt, answer) };
}

/** "Streaming events" of the Responses API, in the order that OpenAI sends them. */
export function responseFrames(prompt: Prompt, answer: Answer): Frame[] {
  const frames: Frame[] = [];
  const emit = (type: string, fields: object, paced = false) => {
    const data = `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: frames.length, ...fields })}\n\n`;
    frames.push({ data, paced });
  };
  const started = { response: { ...head(prompt, answer, "in_progress"), output: [], usage: null } };
  emit("response.created", started);
  emit("response.in_progress", started);
  for (const [output_index, item] of outputItems(answer).entries()) {
    const at = { item_id: item.id, output_index };
    const empty = item.type === "message" ? { content: [] } : { arguments: "" };
    emit("response.output_item.added", { output_index, item: { ...item, status: "in_progress", ...empty } });
    if (item.type === "message") emitText(emit, at, answer.text ?? "");
    else {
      emit("response.function_call_arguments.delta", { ...at, delta: item.arguments }, true);
      emit("response.function_call_arguments.done", { ...at, name: item.name, arguments: item.arguments });
    }
    emit("response.output_item.done", { output_index, item });
  }
  emit("response.completed", { response: responseObject(prompt, answer) });
  return frames;
}

type Emit = (type: string, fields: object, paced?: boolean) => void;

function emitText(emit: Emit, at: { readonly item_id: string; readonly output_index: number }, text: string): void {
  const place = { ...at, content_index: 0 };
  emit("response.content_part.added", { ...place, part: textPart("") });
  for (const delta of wordsOf(text)) emit("response.output_text.delta", { ...place, delta, logprobs: [] }, true);
  emit("response.output_text.done", { ...place, text, logprobs: [] });
  emit("response.content_part.done", { ...place, part: textPart(text) });
}

function outputItems({ id, text, toolCalls }: Answer) {
  const message = {
    type: "message" as const,
    id: `msg_${id}`,
    status: "completed",
    role: "assistant",
    content: [textPart(text ?? "")],
  };
  const calls = toolCalls.map((call, index) => ({
    type: "function_call" as const,
    id: `fc_${id}_${index}`,
    call_id: `call_${id}_${index}`,
    status: "completed",
    name: call.name,
    arguments: JSON.stringify(call.arguments),
  }));
  return text === undefined ? calls : [message, ...calls];
}

function textPart(text: string) {
  return { type: "output_text", text, annotations: [], logprobs: [] };
}

function head({ model, body }: Prompt, answer: Answer, status: string) {
  const created_at = Math.floor(Date.now() / 1_000);
  return {
    id: `resp_${answer.id}`,
    object: "response",
    created_at,
    status,
    error: null,
    incomplete_details: null,
    instructions: body["instructions"] ?? null,
    metadata: {},
    model,
    parallel_tool_calls: true,
    previous_response_id: body["previous_response_id"] ?? null,
    temperature: 1,
    tool_choice: body["tool_choice"] ?? "auto",
    tools: body["tools"] ?? [],
    top_p: 1,
  };
}

function responseUsage(prompt: Prompt, answer: Answer) {
  const { input, output } = usageOf(prompt, answer);
  return {
    input_tokens: input,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens: output,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: input + output,
  };
}
