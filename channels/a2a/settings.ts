import { z } from "zod";

/** Whose calls are taken is the server's own setting: `a2a.keys`. */
export const a2aSettings = z.strictObject({
  /** UTF-16 code units of one answer's part; a longer answer comes in several. */
  textLength: z.number().int().positive().default(100_000),
  /** Days after which a context that nothing more is said in is forgotten. */
  contextDays: z.number().positive().default(30),
});
export type A2aSettings = z.infer<typeof a2aSettings>;
