/** The budgets that the configuration names. */
import type { Announce } from "../announce.ts";
import { createBudgets, type Budgets } from "../budget-meter.ts";
import type { Meter } from "../budgets.ts";
import type { Delegating, NestedRun } from "../delegation-nested.ts";
import type { Clock, Log, Runtime } from "../ports.ts";
import { budgetsOf } from "./budget-settings.ts";
import type { Config } from "./config.ts";

export interface BudgetsOptions {
  readonly config: Config;
  readonly runtime: Pick<Runtime, "records" | "actors">;
  readonly clock: Clock;
  readonly log: Log;
  readonly announce: Announce | undefined;
}

/** Undefined where nobody has one: then nothing is counted, and nothing is written for it. */
export function openBudgets({ config, runtime, clock, log, announce }: BudgetsOptions): Budgets | undefined {
  const settings = budgetsOf(config);
  if (settings === undefined) return undefined;
  const { records, actors } = runtime;
  return createBudgets({ records, clock, log, settings, shared: !actors.exclusive, announce });
}

/** What skilled agents ask of others counts for whom they work. */
export function countedDelegating(of: Delegating, { run }: NestedRun, meter: Meter | undefined): Delegating {
  if (meter === undefined) return of;
  const { tenant, id: person } = run.caller;
  return {
    ...of,
    async call(name, call) {
      // As the same call of a client agent's is named.
      await meter.count({ tenant, person }, `agent__${name}`);
      return of.call(name, call);
    },
  };
}
