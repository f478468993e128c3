/** Missions. Where they are turned off none begins any more; those that have begun go on, and /forget erases them. */
import type { Belongings } from "../belongings.ts";
import type { Core } from "../core.ts";
import type { Delegations } from "../delegation.ts";
import type { Address } from "../message.ts";
import { createMissions, type Missions } from "../missions.ts";
import type { Clock, Log, Runtime } from "../ports.ts";
import type { Config } from "./config.ts";

const dayMs = 24 * 3_600_000;

export interface MissionsOptions {
  readonly config: Config;
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly log: Log;
  readonly belongings: Belongings;
  readonly delegations: Delegations;
  readonly chainName: (agent: string) => string;
  readonly reaches: (to: Address) => boolean;
  /** Once there is one. */
  readonly core: () => Pick<Core, "orderMission" | "proactive">;
}

export function openMissions(options: MissionsOptions): Missions {
  const { config, delegations, core, ...given } = options;
  const { enabled, perPerson, steps, days } = config.missions;
  return createMissions({
    ...given,
    enabled,
    bounds: { perPerson, steps, forMs: days * dayMs },
    tasks: delegations.missions,
    forgetTasks: delegations.forget,
    proactive: {
      say: (...of) => core().proactive.say(...of),
      prompt: (...of) => core().proactive.prompt(...of),
    },
    // On Dapr a command's process is none of those that have agents, whatever it is built of.
    runsHere: () =>
      given.runtime.workflows !== undefined &&
      (given.runtime.actors.exclusive || given.runtime.appId?.() !== undefined),
    elsewhere: (agent, order) => core().orderMission(agent, order),
  });
}
