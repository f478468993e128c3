/**
 * A turn's own view of the model, between the SDK's run and the provider:
 *
 * - it puts what was before in front of the run's items. Handed to the run itself, twenty items of history double the cost
 *   of a turn, since the SDK clones and compares every one of them;
 * - it reads the stream where somebody watches, so that the run itself never streams: one code path, and an abort rejects;
 * - it leaves the pictures out, and says so, where the server refuses a request that has some;
 * - it asks again when the answer is empty, broken off or unreadable. The tools' results of the run are kept, so nothing
 *   that a tool did is done twice.
 */
import { Usage, type AgentInputItem, type Model, type ModelRequest, type ModelResponse } from "@openai/agents";
import { InfrastructureError, UnacceptableError, RetryableError, TerminalError, reasonOf } from "../../src/errors.ts";
import { pause } from "../../src/pause.ts";
import type { Clock, Log } from "../../src/ports.ts";
import { withoutPictures } from "./images.ts";

export interface Edge {
  readonly model: Model;
  readonly before: readonly AgentInputItem[];
  /** The run's own items as this model may see them; as they are unless given. */
  readonly shown?: ((items: readonly AgentInputItem[]) => readonly AgentInputItem[]) | undefined;
  readonly retries: number;
  readonly clock: Clock;
  readonly log: Log;
  /** What the model is given with each request, also where it is asked again. */
  readonly onInput?: ((items: readonly AgentInputItem[]) => void) | undefined;
  /** Text of the answer being written; starts anew when the model is asked again. */
  readonly onText?: ((text: string) => void) | undefined;
  /** A tool of this turn has put something into the answer, so that it may do without text. */
  readonly answered: () => boolean;
}

const firstPauseMs = 250;

export function edgeModel(edge: Edge): Model {
  const ask = async (request: ModelRequest): Promise<ModelResponse> => {
    const response = await (edge.onText === undefined
      ? edge.model.getResponse(request)
      : readStream(edge.model, request, edge.onText));
    if (hasContent(response)) return response;
    if (edge.answered()) return { ...response, output: [...response.output, emptyText] };
    throw new RetryableError("the model gave an empty answer");
  };
  /** The server has refused the pictures of this turn: it is not offered them again. */
  let blind = false;
  const getResponse = async (request: ModelRequest): Promise<ModelResponse> => {
    const input = typeof request.input === "string" ? [userText(request.input)] : request.input;
    let whole = { ...request, input: [...edge.before, ...(edge.shown?.(input) ?? input)] };
    edge.onInput?.(whole.input);
    if (blind) whole = { ...whole, input: withoutPictures(whole.input) ?? whole.input };
    for (let tries = 1; ; tries += 1) {
      try {
        return await ask(whole);
      } catch (error) {
        if (request.signal?.aborted) throw error;
        const plain = error instanceof UnacceptableError ? withoutPictures(whole.input) : undefined;
        if (plain !== undefined) {
          edge.log.warn({ reason: reasonOf(error) }, "the model is asked again without the pictures");
          blind = true;
          whole = { ...whole, input: plain };
          continue;
        }
        // Our own store was waited for where it was asked.
        if (!(error instanceof RetryableError) || error instanceof InfrastructureError) throw error;
        if (tries > edge.retries) {
          const times = tries === 1 ? "once" : `${tries} times`;
          throw new TerminalError(`no usable answer from the model, asked ${times}: ${error.message}`, {
            cause: error,
          });
        }
        await pause(edge.clock, firstPauseMs * 2 ** (tries - 1), request.signal);
      }
    }
  };
  return {
    getResponse,
    getStreamedResponse() {
      throw new Error("the client agent's runs are never streamed; its edge reads the stream");
    },
  };
}

async function readStream(model: Model, request: ModelRequest, onText: (text: string) => void): Promise<ModelResponse> {
  let text = "";
  let response: ModelResponse | undefined;
  for await (const event of model.getStreamedResponse(request)) {
    // Once for each model that is asked: the answer of one that broke off is left behind.
    if (event.type === "response_started") text = "";
    else if (event.type === "output_text_delta") {
      text += event.delta;
      onText(text);
    } else if (event.type === "response_done") {
      const { id, output, usage } = event.response;
      const { inputTokens, outputTokens, totalTokens } = usage;
      response = { responseId: id, output, usage: new Usage({ requests: 1, inputTokens, outputTokens, totalTokens }) };
    }
  }
  if (response === undefined) throw new RetryableError("the model ended its stream before its answer");
  return response;
}

/** Anything the run can go on with: a call, or a message with text or a refusal in it. Reasoning alone is nothing. */
function hasContent({ output }: ModelResponse): boolean {
  return output.some((item) => {
    if (item.type === "reasoning") return false;
    if (item.type !== "message") return true;
    if (typeof item.content === "string") return item.content.trim() !== "";
    return item.content.some((part) => {
      if (part.type === "output_text") return part.text.trim() !== "";
      return part.type !== "refusal" || part.refusal.trim() !== "";
    });
  });
}

const emptyText: ModelResponse["output"][number] = {
  type: "message",
  role: "assistant",
  status: "completed",
  content: [{ type: "output_text", text: "" }],
};

function userText(text: string): AgentInputItem {
  return { type: "message", role: "user", content: text };
}
