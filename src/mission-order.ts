/** What is asked of a mission, wherever its workflow is, and what is seen of it. */
import { z } from "zod";
import type { MissionState } from "./mission.ts";

export const missionOrder = z.object({
  id: z.string(),
  do: z.enum(["look", "pause", "resume", "signal", "cancel", "remove"]),
  data: z.unknown().optional(),
});
export type MissionOrder = Readonly<z.infer<typeof missionOrder>>;

export interface MissionView {
  readonly status: "running" | "paused" | "ended";
  /** Absent where it is about to begin. */
  readonly state?: MissionState | undefined;
}
