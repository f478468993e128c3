/**
 * The way of one run's requests to a model: through the line of its provider, to the first of an ordered list that can be had.
 *
 * - a run keeps the model that answered it, unless that fails;
 * - a model that fails in any way that another may not is left for the next of the list; a request that the server does not take, or
 *   whose content it refuses, is refused by all;
 * - each try is reserved in the budgets of whom it is for; where one has ended no model is asked;
 * - a refusal for now (429) is no failure: the line stands still, and the request has its turn first, unless another model answers sooner.
 */
import type { Model, ModelRequest, ModelResponse, StreamEvent } from "@openai/agents";
import type { Meter } from "../../src/budgets.ts";
import type { ModelCaller } from "../../src/model-line.ts";
import type { GuardedModel } from "./guard.ts";
import { metered } from "./metered.ts";
import { createSearch, type Candidates, type RouteOptions, type Run, type Search } from "./search.ts";

interface Asked {
  readonly model: GuardedModel;
  readonly asked: ModelRequest;
  readonly tries: number;
}

/** For the requests of one run, one after the other. */
export function routed(
  candidates: Candidates,
  options: RouteOptions & { readonly meter?: Meter | undefined },
  caller: ModelCaller,
): Model {
  const run: Run = { caller, current: undefined, asked: candidates[0], answered: new Set() };
  const { meter } = options;

  async function next(search: Search): Promise<Asked> {
    const { spec, model, asked, tries } = await search.next();
    if (meter === undefined) return { model, asked, tries };
    try {
      return {
        model: await metered(model, { meter, clock: options.clock, caller, spec, request: asked }),
        asked,
        tries,
      };
    } catch (error) {
      search.unmade();
      throw error;
    }
  }

  async function getResponse(request: ModelRequest): Promise<ModelResponse> {
    const search = createSearch(candidates, options, run, request);
    for (;;) {
      const { model, asked, tries } = await next(search);
      try {
        const response = await model.getResponse(asked, tries);
        search.answered(response.usage);
        return response;
      } catch (error) {
        await search.failed(error);
      }
    }
  }

  /** A model that is asked instead of one that broke off begins its answer anew, with a `response_started` of its own. */
  async function* getStreamedResponse(request: ModelRequest): AsyncIterable<StreamEvent> {
    const search = createSearch(candidates, options, run, request);
    try {
      for (;;) {
        const { model, asked, tries } = await next(search);
        try {
          for await (const event of model.getStreamedResponse(asked, tries)) {
            if (event.type === "response_done") search.answered(event.response.usage);
            yield event;
          }
          return;
        } catch (error) {
          await search.failed(error);
        }
      }
    } finally {
      search.left();
    }
  }

  return { getResponse, getStreamedResponse };
}
