import { z } from "zod";
import { skillSettings } from "../settings.ts";

const searchWords =
  'must be a URL with {query} in its query, such as "http://127.0.0.1:8888/search?format=json&q={query}"';

export const researcherSettings = skillSettings.extend({
  /** A search engine that answers in JSON, such as SearXNG's; the gateway asks it wherever it is. Without one it reads what it is given. */
  searchUrl: z
    .url({ protocol: /^https?$/, message: searchWords })
    .refine((url) => /\?.*\{query\}/.test(url), searchWords)
    .optional(),
  /** Of one task, repeated runs included. */
  pages: z.number().int().min(1).max(100).default(12),
  /** How many links away from what the request names or a search found. */
  depth: z.number().int().min(0).max(5).default(2),
  /** Of one page or document. */
  pageBytes: z.number().int().positive().max(15_000_000).default(5_000_000),
  /** Of one task. */
  totalBytes: z.number().int().positive().default(25_000_000),
  /** Parts of a broad question that are worked on side by side; 0: it is never divided. They share the bounds of the task. */
  parts: z.number().int().min(0).max(8).default(4),
  /** After which no further page is read. */
  seconds: z.number().positive().max(1_500).default(300),
});
export type ResearcherSettings = z.infer<typeof researcherSettings>;
