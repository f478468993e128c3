import { z } from "zod";
import { skillSettings } from "../settings.ts";

export const analystSettings = skillSettings.extend({
  /** Of one program; an answer may take several. */
  programSeconds: z.number().min(1).max(60).default(10),
});
