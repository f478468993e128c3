/** A provider of models that remembers which tools they called. */
import type { Model, ModelProvider, ModelResponse } from "@openai/agents";

export interface MadeCall {
  readonly tool: string;
  /** As the model wrote them; a text where that was no JSON. */
  readonly args: unknown;
}

export function watched(models: ModelProvider, calls: MadeCall[]): ModelProvider {
  const note = ({ output }: Pick<ModelResponse, "output">) => {
    for (const item of output)
      if (item.type === "function_call") calls.push({ tool: item.name, args: argsOf(item.arguments) });
  };
  return {
    async getModel(spec) {
      const model = await models.getModel(spec);
      const watching: Model = {
        async getResponse(request) {
          const response = await model.getResponse(request);
          note(response);
          return response;
        },
        getStreamedResponse: (request) => model.getStreamedResponse(request),
      };
      return watching;
    },
  };
}

function argsOf(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return json;
  }
}
