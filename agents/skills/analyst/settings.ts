import { z } from "zod";
import { skillSettings } from "../settings.ts";

export const analystSettings = skillSettings.extend({
  /** Of one program; an answer may take several. */
  programSeconds: z.number().min(1).max(60).default(10),
  /** Agents that it may ask for data, by the names that they have as delegates. */
  asks: z.array(z.string()).max(10).default(["knowledge"]),
});
