import type { Model, ModelRequest, ModelResponse, StreamEvent } from "@openai/agents";
import { RetryableError } from "../../src/errors.ts";
import { failureOf, type FailureContext } from "./failures.ts";

/** One model, asked once at a time. `tries`: how often it has been asked then, for the words of a failure. */
export interface GuardedModel {
  getResponse(request: ModelRequest, tries: number): Promise<ModelResponse>;
  getStreamedResponse(request: ModelRequest, tries: number): AsyncIterable<StreamEvent>;
}

/**
 * A model whose failures are the core's errors (see {@link failureOf}) and whose streams are whole or fail: the SDK takes
 * a stream that breaks off for a finished answer. An abort rejects with the signal's reason.
 */
export function guarded(inner: Model, context: Omit<FailureContext, "tries">): GuardedModel {
  const explained = (error: unknown, signal: AbortSignal | undefined, tries: number): Error => {
    if (signal?.aborted) return signal.reason instanceof Error ? signal.reason : new Error("aborted");
    return failureOf(error, { ...context, tries });
  };

  async function getResponse(request: ModelRequest, tries: number): Promise<ModelResponse> {
    try {
      return await inner.getResponse(request);
    } catch (error) {
      throw explained(error, request.signal, tries);
    }
  }

  async function* getStreamedResponse(request: ModelRequest, tries: number): AsyncIterable<StreamEvent> {
    let whole = false;
    let finish: "unknown" | "missing" | "seen" = "unknown";
    try {
      for await (const event of inner.getStreamedResponse(request)) {
        if (event.type === "model" && finish !== "seen") finish = finishIn(event.event) ?? finish;
        if (event.type === "response_done") {
          if (finish === "missing") break;
          whole = true;
        }
        yield event;
      }
    } catch (error) {
      throw explained(error, request.signal, tries);
    }
    // An aborted stream just ends.
    request.signal?.throwIfAborted();
    if (!whole) throw new RetryableError(`${context.spec} ended its stream before its answer`);
  }

  return { getResponse, getStreamedResponse };
}

/**
 * Whether a chunk of Chat Completions has the finish reason that a complete answer has. Undefined for the Responses API,
 * where the SDK itself waits for the event that completes a response.
 */
function finishIn(event: unknown): "missing" | "seen" | undefined {
  const { choices } = event as { readonly choices?: readonly { readonly finish_reason?: unknown }[] };
  if (!Array.isArray(choices)) return undefined;
  return choices.some((choice) => choice?.finish_reason) ? "seen" : "missing";
}
