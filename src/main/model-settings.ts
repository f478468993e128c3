/** Whether the models that the configuration names could answer. */
import {
  keyNames,
  modelsOfAgent,
  parseEmbeddingSpec,
  parseModelList,
  parseModelSpec,
  parseTranscriptionSpec,
  type NamedModels,
} from "../../adapters/models/spec.ts";
import type { Settings } from "./settings.ts";

/** What is wrong, a sentence each. @param spec of agents that name none. */
export function modelProblems({ agents, skills, models }: Settings, spec: string): string[] {
  const named = [
    ...Object.entries(agents).map(([name, own]) => ({ place: `agents.${name}`, own })),
    ...Object.entries(skills as Record<string, NamedModels & { readonly enabled?: boolean }>).flatMap(([name, own]) =>
      own.enabled === false ? [] : [{ place: `skills.${name}`, own }],
    ),
  ];
  const problems = named.flatMap(({ place, own }) => namedProblems(place, own, models));
  if (Object.values(agents).some((own) => modelsOfAgent(own) === undefined))
    problems.push(...listProblems("models.default (ASCENT_MODEL)", spec, models));
  for (const [name, { summaryModel }] of Object.entries(agents))
    if (summaryModel !== undefined) problems.push(...listProblems(`agents.${name}.summaryModel`, summaryModel, models));
  for (const [name, { guardrails }] of Object.entries(agents))
    for (const rule of [...guardrails.input, ...guardrails.output])
      if (rule.check === "judge" && rule.model !== undefined)
        problems.push(...listProblems(`agents.${name}.guardrails`, rule.model, models));
  problems.push(...otherModelProblem("transcription", models.transcription, models));
  problems.push(...otherModelProblem("embedding", models.embedding, models));
  return [...new Set(problems)];
}

function namedProblems(place: string, own: NamedModels, models: Settings["models"]): string[] {
  if (own.model !== undefined && own.models !== undefined)
    return [`${place}: has model and models: leave one of them out`];
  const spec = modelsOfAgent(own);
  if (spec === undefined) return [];
  return listProblems(`${place}.${own.models === undefined ? "model" : "models"}`, spec, models);
}

function listProblems(place: string, list: string, models: Settings["models"]): string[] {
  try {
    return parseModelList(list).flatMap((spec) => modelProblem(place, spec, models));
  } catch (error) {
    return [`${place}: ${error instanceof Error ? error.message : String(error)}`];
  }
}

function modelProblem(place: string, spec: string, models: Settings["models"]): string[] {
  const { vendor } = parseModelSpec(spec);
  if (vendor === "demo") return [];
  if (vendor === "compatible") {
    return models.compatible.baseUrl === undefined ? [`${place}: ${spec} needs an address: set OPENAI_BASE_URL`] : [];
  }
  return models[vendor].apiKey === undefined ? [`${place}: ${spec} needs a key: set ${keyNames[vendor]}`] : [];
}

type OtherModel = {
  readonly model?: string | undefined;
  readonly baseUrl?: string | undefined;
  readonly apiKey?: string | undefined;
};

/** Models that hear, and that make vectors. @param kind as in the names of its variables. */
function otherModelProblem(
  kind: "transcription" | "embedding",
  { model, baseUrl, apiKey }: OtherModel,
  models: Settings["models"],
): string[] {
  if (model === undefined) return [];
  const variable = kind.toUpperCase();
  const place = `models.${kind}.model (${variable}_MODEL)`;
  try {
    const { vendor } = kind === "embedding" ? parseEmbeddingSpec(model) : parseTranscriptionSpec(model);
    if (vendor === "compatible") {
      if ((baseUrl ?? models.compatible.baseUrl) !== undefined) return [];
      return [`${place}: ${model} needs an address: set ${variable}_BASE_URL or OPENAI_BASE_URL`];
    }
    const elsewhere = baseUrl !== undefined;
    if ((apiKey ?? (elsewhere ? undefined : models[vendor].apiKey)) !== undefined) return [];
    return [`${place}: ${model} needs a key: set ${elsewhere ? `${variable}_API_KEY` : keyNames[vendor]}`];
  } catch (error) {
    return [`${place}: ${error instanceof Error ? error.message : String(error)}`];
  }
}
