import { z } from "zod";

/** What every skilled agent can be set to; each adds its own. */
export const skillSettings = z.object({
  /** As an agent's of the configuration, which is taken where there is none. */
  model: z.string().min(1).optional(),
  /** Several, in order of preference: the first that can be had answers. */
  models: z.array(z.string().min(1)).min(1, "names no model: leave it out").optional(),
  temperature: z.number().min(0).max(2).optional(),
  /** Of one answer of the model. */
  maxTokens: z.number().int().positive().optional(),
  /** Further tries when the model's answer is empty, broken off or unreadable. */
  retries: z.number().int().min(0).max(10).default(2),
});

/** As an agent is made with them: the model is known then, or the list of models, with commas between. */
export type SkillSettings = Omit<z.infer<typeof skillSettings>, "model" | "models"> & { readonly model: string };

/**
 * Whether a skilled agent runs without a model, by rules of its own: what it does then is less, and it says so. The one way for
 * all of them to know.
 */
export function runsOnDemo({ model }: Pick<SkillSettings, "model">): boolean {
  return model === "demo";
}
