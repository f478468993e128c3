import type { Model, ModelProvider } from "@openai/agents";
import type { ModelCaller } from "../../src/model-line.ts";

/** Where agents get their models: a spec may be a list, with commas between. */
export interface AgentModels extends ModelProvider {
  /** For one run, which keeps the model that answers it and stands in line as the caller's. Absent: there are no lines. */
  modelFor?(spec: string, caller: ModelCaller): Model;
}

export async function modelOf(models: AgentModels, spec: string, caller: ModelCaller): Promise<Model> {
  return models.modelFor?.(spec, caller) ?? (await models.getModel(spec));
}
