import {
  Usage,
  type AssistantMessageItem,
  type FunctionCallItem,
  type Model,
  type ModelRequest,
  type ModelResponse,
  type StreamEvent,
} from "@openai/agents";
import type { Clock } from "../../../src/ports.ts";
import { readRequest, textIn } from "./read.ts";
import { replyTo, type DemoReply } from "./reply.ts";
import { extract } from "./summary.ts";

export interface DemoOptions {
  /** Between two words of a streamed answer; a long one is sent in larger pieces. 15 ms. */
  readonly wordDelayMs?: number;
}

/** The most pieces of a streamed answer: bounds the time that a long one takes. */
const mostPieces = 120;

/**
 * The model that needs nothing: offline, without a key, the same answer to the same request. It follows simple rules
 * (see `intents.ts`), uses the agent's tools, and says what it is in its first answer and when it is asked.
 */
export function createDemoModel(clock: Clock, options: DemoOptions = {}): Model {
  const delayMs = options.wordDelayMs ?? 15;
  async function* stream(request: ModelRequest): AsyncIterable<StreamEvent> {
    request.signal?.throwIfAborted();
    yield { type: "response_started" };
    const reply = decide(request);
    if (reply.kind === "text") {
      for (const delta of pieces(reply.text)) {
        if (delayMs > 0) await new Promise<void>((resolve) => void clock.after(delayMs, resolve));
        request.signal?.throwIfAborted();
        yield { type: "output_text_delta", delta };
      }
    }
    const { output, usage, responseId } = respond(request, reply);
    const { inputTokens, outputTokens, totalTokens } = usage;
    yield {
      type: "response_done",
      response: { id: responseId, output, usage: { inputTokens, outputTokens, totalTokens } },
    };
  }
  return {
    async getResponse(request) {
      request.signal?.throwIfAborted();
      return respond(request, decide(request));
    },
    getStreamedResponse: stream,
  };
}

function decide(request: ModelRequest): DemoReply {
  if (/^Summari[sz]e\b/.test(request.systemInstructions ?? "")) {
    return { kind: "text", text: extract(promptOf(request)) };
  }
  return replyTo(readRequest(request));
}

function respond(request: ModelRequest, reply: DemoReply) {
  const output: (AssistantMessageItem | FunctionCallItem)[] =
    reply.kind === "text"
      ? [
          {
            type: "message",
            role: "assistant",
            status: "completed",
            content: [{ type: "output_text", text: reply.text }],
          },
        ]
      : reply.calls.map((call) => ({
          type: "function_call" as const,
          callId: call.id,
          name: call.name,
          arguments: JSON.stringify(call.arguments),
          status: "completed" as const,
        }));
  const inputTokens = tokens(promptOf(request));
  const outputTokens = tokens(reply.kind === "text" ? reply.text : JSON.stringify(reply.calls));
  const usage = new Usage({ requests: 1, inputTokens, outputTokens, totalTokens: inputTokens + outputTokens });
  return { usage, output, responseId: "demo" } satisfies ModelResponse;
}

function promptOf(request: ModelRequest): string {
  if (typeof request.input === "string") return request.input;
  return request.input.map((item) => ("content" in item ? textIn(item.content) : "")).join("\n");
}

function tokens(text: string): number {
  return Math.ceil(Buffer.byteLength(text) / 4);
}

/** The text word by word, each with the space before it: joined they are the text. */
function* pieces(text: string): Iterable<string> {
  const words = text.match(/\s*\S+|\s+$/g) ?? [];
  const size = Math.max(1, Math.ceil(words.length / mostPieces));
  for (let at = 0; at < words.length; at += size) yield words.slice(at, at + size).join("");
}
