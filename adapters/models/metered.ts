/** One try of a model, reserved in budgets before it and settled after it by what the provider counted. */
import type { ModelRequest, ModelResponse, StreamEvent } from "@openai/agents";
import type { CallUsage, Charge, Meter } from "../../src/budgets.ts";
import { UnacceptableError } from "../../src/errors.ts";
import type { ModelCaller } from "../../src/model-line.ts";
import { UnavailableError } from "./failures.ts";
import type { GuardedModel } from "./guard.ts";
import { mostInput, tokensOfText } from "./request.ts";

interface Try {
  readonly meter: Meter;
  readonly caller: ModelCaller;
  readonly spec: string;
  readonly request: ModelRequest;
}

/** Good for one request. @throws BudgetError where it must not be made. */
export async function metered(
  model: GuardedModel,
  { meter, caller: { payer, tenant }, spec, request }: Try,
): Promise<GuardedModel> {
  const input = mostInput(request);
  const charge = await meter.reserve(payer ?? { tenant }, {
    model: spec,
    input,
    output: request.modelSettings.maxTokens,
  });
  return {
    async getResponse(asked, tries) {
      try {
        const response = await model.getResponse(asked, tries);
        charge.settle(usageOf(response, charge));
        return response;
      } catch (error) {
        settleFailure(charge, error, undefined);
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

function brokenOff({ planned }: Charge, text: string): CallUsage {
  return { ...planned, output: tokensOfText(text) };
}

/** What was refused costs nothing. Of what may have been worked on the input is known, and as much of the answer as came. */
function settleFailure(charge: Charge, error: unknown, text: string | undefined): void {
  if (isRefused(error) && !text) charge.settle({ input: 0, cached: 0, output: 0 });
  else charge.settle(text === undefined ? charge.planned : brokenOff(charge, text));
}

/** Nobody worked on it. */
export function isRefused(error: unknown): boolean {
  if (error instanceof UnacceptableError) return true;
  if (!(error instanceof UnavailableError) || error.trouble === "timeout") return false;
  if (error.trouble !== "connection") return true;
  return error.cause instanceof Error && unreached.has(error.cause.message);
}

const unreached = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH"]);
