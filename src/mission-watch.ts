/** A mission's job: begins what was broken off at its beginning, looks after what is under way, and clears what has ended. */
import { z } from "zod";
import { InfrastructureError } from "./errors.ts";
import type { Address } from "./message.ts";
import { freshState, missionState } from "./mission.ts";
import type { Mission, MissionStore } from "./mission-store.ts";
import { jobOf, type MissionWork } from "./mission-work.ts";
import type { Clock, Jobs, Workflows } from "./ports.ts";

/** A mission whose beginning was broken off begins then. */
export const beginMs = 10_000;
const writingMs = 60_000;
/** Its workflow is looked at so often: one that the runtime has lost, or ended, tells nobody. */
const lookEveryMs = 900_000;
/** A runtime that comes back may not know of it yet. */
const missingMs = 120_000;
/** After its time: to stop what is under way, and to report. */
const graceMs = 900_000;

export interface MissionWatchOptions {
  readonly store: MissionStore;
  readonly jobs: Pick<Jobs, "schedule">;
  /** Undefined: not in this process. */
  readonly workflows: Workflows | undefined;
  readonly perform: MissionWork;
  readonly clock: Clock;
}

export interface MissionWatch {
  /** Durable when it resolves. Again, or of one that was forgotten meanwhile, is nothing. */
  begin(mission: Pick<Mission, "id">): Promise<void>;
  arm(mission: Pick<Mission, "id" | "to">, dueAt: number): Promise<void>;
  /** False where it is another's job. */
  run(job: string, data: unknown): Promise<boolean>;
}

const about = z.object({ id: z.string(), to: z.custom<Address>().optional() });

export function createMissionWatch({ store, jobs, perform, clock, ...options }: MissionWatchOptions): MissionWatch {
  const workflowsHere = (): Workflows => {
    if (options.workflows === undefined) throw new InfrastructureError("this process runs no missions");
    return options.workflows;
  };

  async function begin({ id }: Pick<Mission, "id">): Promise<void> {
    const found = await store.find(id);
    if (found === undefined || found.begun === true || found.end !== undefined) return;
    const { plan, forMs } = found;
    await workflowsHere().begin(id, { plan, forMs });
    const begun = await store.change(id, (now) => (now.begun === true ? undefined : { ...now, begun: true }));
    if (begun === undefined) await workflowsHere().remove(id);
  }

  const arm = ({ id, to }: Pick<Mission, "id" | "to">, dueAt: number) =>
    jobs.schedule(jobOf(id), { dueAt }, { id, to });

  /** It was broken off, or erased, before its record was written. */
  async function absent(id: string, to: Address | undefined): Promise<void> {
    const { open } = to === undefined ? { open: [] } : await store.of(to);
    const entry = open.find((one) => one.id === id);
    if (entry === undefined) return;
    if (clock.now() - entry.at < writingMs) throw new InfrastructureError("a mission is being written down");
    await store.delist(entry);
  }

  async function look(mission: Mission): Promise<void> {
    const { id, plan, forMs } = mission;
    const found = await workflowsHere().find(id);
    const state = missionState.safeParse(found?.state).data ?? freshState(plan, mission.at);
    const lives = found !== undefined && found.status !== "ended";
    const until = state.at + forMs + graceMs;
    const since = lives ? undefined : (mission.missing ?? clock.now());
    if (since !== mission.missing)
      await store.change(id, ({ missing: _missing, ...now }) =>
        since === undefined ? now : { ...now, missing: since },
      );
    if (lives && clock.now() < until) return arm(mission, Math.min(clock.now() + lookEveryMs, until));
    if (since !== undefined && clock.now() < since + missingMs) return arm(mission, since + missingMs);
    // It may have reported, or been forgotten, since it was read.
    const now = await store.find(id);
    if (now === undefined || now.end !== undefined) return;
    const because = state.because ?? (lives ? "out of time" : "lost");
    await perform({ mission: id, effect: { do: "report", state: { ...state, phase: "reporting", because } } });
    await workflowsHere().remove(id);
  }

  async function clear({ id, end }: Mission): Promise<void> {
    const left = await options.workflows?.find(id);
    if (left !== undefined && left.status !== "ended" && clock.now() - (end?.at ?? 0) < graceMs)
      throw new InfrastructureError("a mission is about to end");
    await options.workflows?.remove(id);
  }

  return {
    begin,
    arm,
    async run(job, data) {
      if (!job.startsWith(jobOf(""))) return false;
      const { id, to } = about.parse(data);
      const mission = await store.find(id);
      if (mission === undefined) await absent(id, to);
      else if (mission.end !== undefined) await clear(mission);
      else if (mission.begun === true) await look(mission);
      else {
        await begin(mission);
        await arm(mission, clock.now() + lookEveryMs);
      }
      return true;
    },
  };
}
