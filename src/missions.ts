/**
 * Missions: work of several steps that outlives turns and processes. The runtime's workflows make `mission.ts` durable; here is who
 * may begin one, what it is kept as, and what people, agents and operators do with it.
 */
import type { Belongings } from "./belongings.ts";
import { missionList, type MissionTasks } from "./delegation-missions.ts";
import type { MissionStepRef, TaskNews } from "./delegation-work.ts";
import { InfrastructureError, InputError, reasonOf, RetryableError } from "./errors.ts";
import { encodePart, tenantOf, type AgentId, type ParticipantId } from "./ids.ts";
import type { Address } from "./message.ts";
import { missionProgram, missionState, type MissionEffect, type MissionSignal } from "./mission.ts";
import type { MissionPress } from "./mission-buttons.ts";
import { missionOrder, type MissionOrder, type MissionView } from "./mission-order.ts";
import { createMissionSource, type MissionBounds } from "./mission-source.ts";
import { createMissionStore, type Mission, type MissionEntry } from "./mission-store.ts";
import { createMissionWatch, beginMs } from "./mission-watch.ts";
import { createMissionWork, jobOf } from "./mission-work.ts";
import type { Clock, Log, Runtime } from "./ports.ts";
import type { Proactive } from "./proactive.ts";
import type { TaskCaller } from "./skilled.ts";
import type { ToolSource } from "./tools.ts";

export interface MissionOptions {
  /** Else none begins any more; what has begun goes on. */
  readonly enabled: boolean;
  readonly runtime: Pick<Runtime, "records" | "jobs" | "workflows">;
  readonly belongings: Pick<Belongings, "note">;
  readonly clock: Clock;
  readonly log: Log;
  readonly proactive: Pick<Proactive, "say" | "prompt">;
  readonly tasks: MissionTasks;
  readonly forgetTasks: (lists: readonly string[], callers: readonly TaskCaller[]) => Promise<void>;
  readonly chainName: (agent: string) => string;
  readonly reaches: (to: Address) => boolean;
  readonly bounds: MissionBounds;
  /** Workflows can be asked in this process: it has a part in them, and has started. */
  readonly runsHere: () => boolean;
  /** Else whoever has the person's agent does. */
  readonly elsewhere: (agent: AgentId, order: MissionOrder) => Promise<unknown>;
}

export interface Missions {
  /** Tools for client agents. */
  readonly source: ToolSource;
  /** A step's task has something to tell. */
  told(of: MissionStepRef, news: TaskNews): Promise<void>;
  /** A button under a question of a mission's. "over": it is not asked any more, or not this person. */
  pressed(press: MissionPress, by: ParticipantId): Promise<"accepted" | "over">;
  /** As another process asks for it, by way of the person's agent. */
  ordered(order: MissionOrder): Promise<unknown>;
  /** A job of this name is due. False where it is another's. */
  run(job: string, data: unknown): Promise<boolean>;
  /** Ends and erases all missions of these conversations. */
  forget(conversations: readonly string[], callers: readonly TaskCaller[]): Promise<void>;
  readonly operations: MissionOperations;
}

/** What operators do with a tenant's missions. */
export interface MissionOperations {
  /** The newest first: those that are open, then those that have ended. */
  list(tenant: string, limit: number): Promise<readonly (MissionEntry & { readonly open: boolean })[]>;
  /** Undefined where there is none of this tenant. */
  show(id: string): Promise<(Mission & MissionView) | undefined>;
  /** @throws InputError where it has ended. */
  order(id: string, order: "pause" | "resume" | "cancel"): Promise<void>;
}

export function createMissions(options: MissionOptions): Missions {
  const { runtime, clock, log, tasks, bounds } = options;
  const { jobs, workflows } = runtime;
  const store = createMissionStore({ records: runtime.records, belongings: options.belongings, clock });
  const { proactive, chainName, forgetTasks } = options;
  const perform = createMissionWork({ store, tasks, proactive, forgetTasks, chainName, jobs, clock, log });
  const watch = createMissionWatch({ store, jobs, workflows, perform, clock });
  workflows?.define({
    ...missionProgram,
    run: ({ workflow, data }) => perform({ mission: workflow, effect: data as MissionEffect }),
  });

  /** Where the workflows are. */
  async function ordered(given: MissionOrder): Promise<unknown> {
    const { id, do: what, data } = missionOrder.parse(given);
    if (workflows === undefined) throw new InfrastructureError("this process runs no missions");
    switch (what) {
      case "look":
        return (await workflows.find(id)) ?? null;
      case "pause":
        return workflows.pause(id);
      case "resume":
        return workflows.resume(id);
      case "signal":
        return workflows.signal(id, data);
      case "cancel":
        // What is paused would hear of it when it goes on.
        await workflows.resume(id);
        return workflows.signal(id, data);
      case "remove":
        return workflows.remove(id);
    }
  }

  const order = (mission: Pick<Mission, "agent">, given: MissionOrder): Promise<unknown> =>
    options.runsHere() ? ordered(given) : options.elsewhere(mission.agent, given);

  async function begin(mission: Mission): Promise<void> {
    await watch.arm(mission, clock.now() + beginMs);
    await store.create(mission);
    const { open, ended } = await store.of(mission.to);
    if (![...open, ...ended].some(({ id }) => id === mission.id)) {
      await store.remove(mission.id);
      throw new InputError("the person has had everything forgotten meanwhile");
    }
    try {
      await watch.begin(mission);
    } catch (error) {
      if (!(error instanceof RetryableError)) throw error;
      log.warn({ mission: mission.id, reason: reasonOf(error) }, "a mission is written down, and begins by its job");
    }
  }

  async function view(mission: Mission): Promise<MissionView> {
    if (mission.end !== undefined) return { status: "ended", state: mission.end.state };
    const found = (await order(mission, { id: mission.id, do: "look" })) as MissionView | null;
    if (found === null) return { status: "running" };
    const { status, state } = found;
    return { status, state: missionState.safeParse(state).data };
  }

  const signal = async (mission: Pick<Mission, "agent" | "id">, data: MissionSignal) =>
    (await order(mission, { id: mission.id, do: "signal", data })) === true;

  async function act(mission: Mission, what: "pause" | "resume" | "cancel", by: "person" | "operator"): Promise<void> {
    const cancel: MissionSignal = { kind: "cancel", by };
    const data = what === "cancel" ? { data: cancel } : {};
    const done = mission.end === undefined && (await order(mission, { id: mission.id, do: what, ...data }));
    if (done !== true) throw new InputError(`mission ${JSON.stringify(mission.id)} has ended already`, { status: 409 });
  }

  async function erase(of: MissionEntry, callers: readonly TaskCaller[]): Promise<void> {
    const known = await store.find(of.id);
    await jobs.cancel(jobOf(of.id));
    if (known !== undefined) await order(known, { id: of.id, do: "remove" });
    // Before its tasks: a step that begins meanwhile is seen here, or sees that it is nobody's.
    await store.remove(of.id);
    await forgetTasks([missionList(of.id)], callers);
    await store.delist(of);
  }

  return {
    source: createMissionSource({
      enabled: options.enabled,
      store,
      clock,
      bounds,
      reaches: options.reaches,
      agents: tasks.agents,
      begin,
      view,
      order: (mission, what) => act(mission, what, "person"),
      answer: (mission, answer) => signal(mission, { kind: "answer", ...answer }),
    }),
    async told({ id, step }, { kind, id: of, text, parts, failed }) {
      const mission = await store.find(id);
      if (mission === undefined) return forgetTasks([missionList(id)], []);
      if (mission.end !== undefined) return;
      await signal(mission, { kind, step, id: of, text, files: parts, failed });
    },
    async pressed({ mission: id, step, asked, option }, by) {
      const mission = await store.find(id);
      const of = mission?.plan.steps[step];
      if (mission === undefined || of === undefined || mission.participant.id !== by) return "over";
      const { state } = await view(mission);
      const now = state?.steps[of.id];
      const text = now?.options?.[option];
      if (now?.is !== "asking" || now.asked !== asked || text === undefined || state?.phase !== "open") return "over";
      return (await signal(mission, { kind: "answer", step: of.id, asked, text })) ? "accepted" : "over";
    },
    ordered,
    run: watch.run,
    async forget(conversations, callers) {
      const tenants = new Set(conversations.map(tenantOf));
      for (const tenant of tenants) {
        const { open, ended } = await store.ofTenant(tenant);
        for (const one of [...open, ...ended]) if (conversations.includes(one.conversation)) await erase(one, callers);
      }
      for (const conversation of conversations) {
        const { open, ended } = await store.of({ conversation });
        for (const one of [...open, ...ended]) await erase(one, callers);
      }
    },
    operations: {
      async list(tenant, limit) {
        const { open, ended } = await store.ofTenant(encodePart(tenant));
        const shown = (all: readonly MissionEntry[], isOpen: boolean) =>
          all.toReversed().map((one) => ({ ...one, open: isOpen }));
        return [...shown(open, true), ...shown(ended, false)].slice(0, limit);
      },
      async show(id) {
        const mission = await store.find(id);
        return mission && { ...mission, ...(await view(mission)) };
      },
      async order(id, what) {
        const mission = await store.find(id);
        if (mission === undefined) throw new InputError(`there is no mission ${JSON.stringify(id)}`, { status: 404 });
        await act(mission, what, "operator");
      },
    },
  };
}
