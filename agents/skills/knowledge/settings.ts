import { z } from "zod";
import { skillSettings } from "../settings.ts";

export const knowledgeSettings = skillSettings.extend({
  /** Those it answers from; all of the caller's tenant unless given. */
  collections: z.array(z.string().min(1)).min(1, "names no collection: leave it out for all").optional(),
  /** The PostgreSQL that has the documents, for all replicas; without it they are files beside the gateway's data. */
  database: z
    .url({ protocol: /^postgres(ql)?$/, message: "must be a URL that begins with postgres:// or postgresql://" })
    .optional(),
  /** Passages that one search finds. */
  passages: z.number().int().min(1).max(20).default(6),
  /** From which share of a question's words on, the rare ones counting more, a passage fits. */
  leastWords: z.number().min(0).max(1).default(0.4),
  /** From which cosine on a passage fits; what is right differs between embedding models. */
  leastSense: z.number().min(-1).max(1).default(0.35),
});
export type KnowledgeSettings = z.infer<typeof knowledgeSettings>;
