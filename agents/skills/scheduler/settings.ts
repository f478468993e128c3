import { z } from "zod";
import { skillSettings } from "../settings.ts";
import { zoneNamed } from "./zones.ts";

export const schedulerSettings = skillSettings.extend({
  /** An IANA name: where people are who do not say where they are. Without it they are asked. */
  timeZone: z.string().refine(isZone, "is no time zone: use an IANA name such as Europe/Berlin").optional(),
});
export type SchedulerSettings = z.infer<typeof schedulerSettings>;

function isZone(name: string): boolean {
  try {
    zoneNamed(name);
    return true;
  } catch {
    return false;
  }
}
