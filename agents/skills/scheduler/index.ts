import type { SkilledAgent } from "../../../src/skilled.ts";
import type { SkillSettings } from "../settings.ts";
import { profile } from "./profile.ts";
import type { SchedulerSettings } from "./settings.ts";
import type { Execute, SchedulerDeps } from "./work.ts";

/** What it works with is loaded with its first task: most processes never have one. */
export function createScheduler(
  settings: SchedulerSettings & Pick<SkillSettings, "model">,
  deps: SchedulerDeps,
): SkilledAgent {
  let work: Promise<Execute> | undefined;
  return {
    profile,
    async execute(run, hooks) {
      work ??= import("./work.ts").then(({ createWork }) => createWork(settings, deps));
      return (await work)(run, hooks);
    },
  };
}
