/** Whether what is bounded in money can be counted in money. */
import { modelsOfAgent, parseModelList, type NamedModels } from "../../adapters/models/spec.ts";
import { budgetScopes, budgetWindows } from "../budgets.ts";
import type { Settings } from "./settings.ts";

/** What is wrong, a sentence each. @param spec of agents that name no model. */
export function budgetProblems(
  given: Pick<Settings, "budgets" | "prices" | "agents" | "skills" | "models">,
  spec: string,
): string[] {
  const inMoney = budgetScopes.flatMap((name) =>
    budgetWindows.flatMap((window) =>
      given.budgets[name]?.[window]?.money === undefined ? [] : [`budgets.${name}.${window}.money`],
    ),
  );
  const [first] = inMoney;
  if (first === undefined) return [];
  const unpriced = [...specsOf(given, spec)].filter((one) => given.prices.models[one] === undefined && one !== "demo");
  return unpriced.map(
    (one) =>
      `prices.models: ${one} has no price, and ${first} needs one: add "${one}": { input: …, output: … }, per million tokens ` +
      "(0 where it costs nothing)",
  );
}

/** Every model that may be asked. */
function specsOf(
  { agents, skills, models }: Pick<Settings, "agents" | "skills" | "models">,
  spec: string,
): Set<string> {
  const enabled = Object.values(skills as Record<string, NamedModels & { readonly enabled?: boolean }>);
  const named: (NamedModels & { readonly summaryModel?: string | undefined })[] = [
    ...Object.values(agents),
    ...enabled.filter((own) => own.enabled !== false),
  ];
  const lists = named.flatMap((own) => [modelsOfAgent(own) ?? spec, own.summaryModel ?? []].flat());
  const all = new Set(lists.flatMap((list) => [...parseModelList(list)]));
  for (const { guardrails } of Object.values(agents))
    for (const rule of [...guardrails.input, ...guardrails.output])
      if (rule.check === "judge" && rule.model !== undefined)
        for (const one of parseModelList(rule.model)) all.add(one);
  for (const { model } of [models.transcription, models.embedding]) if (model !== undefined) all.add(model);
  return all;
}
