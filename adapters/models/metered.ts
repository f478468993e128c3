/** One try of a model, reserved in budgets before it and settled after it by what the provider counted. */
import type { ModelRequest, ModelResponse, StreamEvent } from "@openai/agents";
import type { CallUsage, Charge, Meter } from "../../src/budgets.ts";
import { InfrastructureError, UnacceptableError } from "../../src/errors.ts";
import type { ModelCaller } from "../../src/model-line.ts";
import { pause } from "../../src/pause.ts";
import type { Clock } from "../../src/ports.ts";
import { UnavailableError } from "./failures.ts";
import type { GuardedModel } from "./guard.ts";
import { mostInput, tokensOfText } from "./request.ts";

interface Try {
  readonly meter: Meter;
  readonly clock: Clock;
  readonly caller: ModelCaller;
  readonly spec: string;
  readonly request: ModelRequest;
}

/** A store that is away is waited for, a minute or so. */
const mostTries = 16;
const firstPauseMs = 250;
const mostPauseMs = 5_000;

/** Good for one request. @throws BudgetError where it must not be made. */
export async function metered(model: GuardedModel, of: Try): Promise<GuardedModel> {
  const charge = await reserved(of);
  return {
    async getResponse(asked, tries) {
      try {
        const response = await model.getResponse(asked, tries);
        charge.settle(usageOf(response, charge));
        return response;
      } catch (error) {
        settleFailure(charge, error);
        throw error;
      }
    },
    async *getStreamedResponse(asked, tries) {
      let text = "";
      try {
        for await (const event of model.getStreamedResponse(asked, tries)) {
          if (event.type === "output_text_delta") text += event.delta;
          if (event.type === "response_done") charge.settle(usageOf(event.response, charge));
          yield event;
        }
      } catch (error) {
        settleFailure(charge, error, text);
        throw error;
      } finally {
        // Whoever read it went away; after all else this is nothing.
        charge.settle(brokenOff(charge, text));
      }
    },
  };
}

async function reserved({ meter, clock, caller: { payer, tenant }, spec, request }: Try): Promise<Charge> {
  const { signal, modelSettings } = request;
  const planned = { model: spec, input: mostInput(request), output: modelSettings.maxTokens };
  for (let tries = 1; ; tries += 1) {
    try {
      const charge = await meter.reserve(payer ?? { tenant }, planned);
      if (signal?.aborted) charge.cancel();
      signal?.throwIfAborted();
      return charge;
    } catch (error) {
      if (!(error instanceof InfrastructureError) || tries === mostTries) throw error;
      await pause(clock, Math.min(firstPauseMs * 2 ** (tries - 1), mostPauseMs), signal);
    }
  }
}

type Counted = Pick<ModelResponse, "output"> & { readonly usage: DoneUsage | ModelResponse["usage"] };
type DoneUsage = Extract<StreamEvent, { type: "response_done" }>["response"]["usage"];

/** Where the provider does not count, what was sent and what it said. */
function usageOf({ usage, output }: Counted, charge: Charge): CallUsage {
  const { inputTokens, outputTokens, inputTokensDetails } = usage;
  if (inputTokens + outputTokens === 0) return brokenOff(charge, JSON.stringify(output));
  const details = [inputTokensDetails ?? []].flat();
  const cached = details.reduce((sum, { cached_tokens: one = 0 }) => sum + (one ?? 0), 0);
  return { input: inputTokens, cached, output: outputTokens };
}

/** What was sent, and as much of the answer as came; all that was reserved where nobody saw any of it. */
function brokenOff({ planned }: Charge, text: string): CallUsage {
  return text === "" ? planned : { ...planned, output: tokensOfText(text) };
}

/** What was refused costs nothing. */
export function settleFailure(charge: Charge, error: unknown, text = ""): void {
  if (text === "" && isRefused(error)) charge.cancel();
  else charge.settle(brokenOff(charge, text));
}

/** Nobody worked on it. */
function isRefused(error: unknown): boolean {
  if (error instanceof UnacceptableError) return true;
  if (!(error instanceof UnavailableError) || error.trouble === "timeout") return false;
  if (error.trouble !== "connection") return true;
  return error.cause instanceof Error && unreached.has(error.cause.message);
}

const unreached = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH"]);
