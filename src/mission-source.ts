/** Missions as tools of a client agent. What belongs to another conversation, or to another person of it, is not there. */
import { z } from "zod";
import { argsOf } from "./delegation-source.ts";
import { InputError } from "./errors.ts";
import { digestOf } from "./ids.ts";
import { clip, isOver, type MissionState } from "./mission.ts";
import { plan as planSchema, readPlan } from "./mission-plan.ts";
import type { Mission, MissionEntry, MissionStore } from "./mission-store.ts";
import type { MissionView } from "./mission-order.ts";
import { missionTools } from "./mission-tools.ts";
import type { Address } from "./message.ts";
import type { Clock } from "./ports.ts";
import type { ToolCall, ToolCaller, ToolResult, ToolSource } from "./tools.ts";

export const missionSource = "mission";

export interface MissionBounds {
  readonly perPerson: number;
  readonly steps: number;
  /** A mission is given up after that long. */
  readonly forMs: number;
}

export interface MissionSourceOptions {
  /** Else none begins any more; what has begun goes on. */
  readonly enabled: boolean;
  readonly store: MissionStore;
  readonly clock: Clock;
  readonly bounds: MissionBounds;
  /** The person can be written to there without having asked. */
  readonly reaches: (to: Address) => boolean;
  readonly agents: () => Promise<readonly string[]>;
  /** Durable when it resolves. Again is nothing. */
  readonly begin: (mission: Mission) => Promise<void>;
  readonly view: (mission: Mission) => Promise<MissionView>;
  readonly order: (mission: Mission, order: "pause" | "resume" | "cancel") => Promise<void>;
  /** False where that is not asked any more. */
  readonly answer: (mission: Mission, of: { step: string; asked: string; text: string }) => Promise<boolean>;
}

/** Characters of a question, for the model to know it by. */
const longestShown = 500;
const nameArgs = z.object({ mission: z.string().max(40) });
const listArgs = z.object({ mission: z.string().max(40).nullish() });
const answerArgs = z.object({
  mission: z.string().max(40),
  step: z.string().max(40).nullish(),
  answer: z.string().trim().min(1).max(4_000),
});

export function createMissionSource(options: MissionSourceOptions): ToolSource {
  const { store, clock, bounds } = options;

  async function own(caller: ToolCaller, which: "open" | "all"): Promise<readonly Mission[]> {
    const { open, ended } = await store.of({ conversation: caller.to.conversation });
    const isOwn = (one: MissionEntry) =>
      one.participant === caller.participant.id && one.agentName === caller.agentName;
    const found = await Promise.all(
      [...(which === "all" ? ended : []), ...open].filter(isOwn).map(({ id }) => store.find(id)),
    );
    return found.filter((one) => one !== undefined);
  }

  async function find(caller: ToolCaller, name: string): Promise<Mission> {
    const found = (await own(caller, "all")).find(({ id }) => id === name.trim());
    if (found === undefined)
      throw new InputError(`this person has no mission ${JSON.stringify(name.slice(0, 40))} in this conversation`);
    return found;
  }

  async function start(call: ToolCall): Promise<ToolResult> {
    if (!options.enabled) throw new InputError("missions are turned off: none begins");
    const plan = readPlan(call.args, { now: clock.now(), ...bounds });
    const there = await options.agents();
    for (const one of plan.steps)
      if (one.do === "delegate" && !there.includes(one.agent))
        throw new InputError(
          `step ${one.id}: there is no agent ${JSON.stringify(one.agent)}; there are ${there.join(", ")}`,
        );
    const { agent, agentName, to, participant, chain } = call;
    const { forMs, perPerson } = bounds;
    const id = digestOf(`mission ${call.key}`);
    const fresh: Mission = {
      v: 1,
      id,
      agent,
      agentName,
      to,
      participant,
      chain: [...chain],
      plan,
      at: clock.now(),
      forMs,
    };
    await store.enlist(fresh, perPerson);
    await options.begin(fresh);
    const words = `${plan.steps.length} step${plan.steps.length === 1 ? "" : "s"}`;
    return {
      text: `Mission ${JSON.stringify(id)} ${JSON.stringify(plan.title)} has begun (${words}). It goes on by itself; what comes of it is told by a note.`,
    };
  }

  async function ordered(call: ToolCall, order: "pause" | "resume" | "cancel", done: string): Promise<ToolResult> {
    const mission = await find(call, argsOf(nameArgs, call.args).mission);
    await options.order(mission, order);
    return { text: `Mission ${JSON.stringify(mission.id)} ${JSON.stringify(mission.plan.title)} is ${done}.` };
  }

  async function answer(call: ToolCall): Promise<ToolResult> {
    const { mission: name, step, answer: text } = argsOf(answerArgs, call.args);
    const mission = await find(call, name);
    const asking = askingOf(asksOf((await options.view(mission)).state), step ?? undefined);
    if (!(await options.answer(mission, { ...asking, text }))) throw new InputError(asksNothing);
    return { text: `Mission ${JSON.stringify(mission.id)} goes on with that answer.` };
  }

  return {
    name: missionSource,
    needs: "nothing",
    async list({ to }) {
      if (!options.reaches(to)) return [];
      const { open, ended } = await store.of(to);
      const isAny = open.length + ended.length > 0;
      return missionTools.filter(({ name }) => (name === "start" ? options.enabled : isAny));
    },
    shows(name, args) {
      if (name !== "start") return [];
      const { title, steps = [] } = planSchema.safeParse(args).data ?? {};
      const asked = steps.flatMap((one) =>
        one.do === "ask" ? [[one.question, ...(one.options ?? [])].join("\n")] : [],
      );
      return title === undefined || asked.length === 0 ? [] : [title, ...asked];
    },
    implies: (name, args) => {
      if (name !== "start") return [];
      const steps = planSchema.safeParse(args).data?.steps ?? [];
      return steps.flatMap((one) =>
        one.do === "delegate"
          ? [{ source: "agent", tool: one.agent, args: { task: one.task }, content: one.after.length > 0 }]
          : [],
      );
    },
    async standing(caller) {
      const open = await own(caller, "open");
      if (open.length === 0) return undefined;
      return Promise.all(open.map(async (mission) => summaryOf(mission, await options.view(mission))));
    },
    async call(name, call) {
      switch (name) {
        case "start":
          return start(call);
        case "pause":
          return ordered(call, "pause", "paused");
        case "resume":
          return ordered(call, "resume", "resumed");
        case "cancel":
          return ordered(call, "cancel", "cancelled");
        case "answer":
          return answer(call);
        default: {
          const { mission } = argsOf(listArgs, call.args);
          const wanted =
            typeof mission === "string" && mission.trim() !== "" ? [await find(call, mission)] : await own(call, "all");
          if (wanted.length === 0) return { text: "This person has no missions in this conversation." };
          const lines = wanted.map(async (one) => JSON.stringify(summaryOf(one, await options.view(one))));
          return { text: (await Promise.all(lines)).join("\n") };
        }
      }
    },
  };
}

const asksNothing = "this mission asks nothing at the moment";

/** @throws InputError where it is not clear which one is meant. */
function askingOf(asks: ReturnType<typeof asksOf>, step: string | undefined) {
  const named = step === undefined ? asks : asks.filter((one) => one.step === step.trim());
  const [asking] = named;
  if (asking !== undefined && named.length === 1) return asking;
  if (asks.length === 0) throw new InputError(asksNothing);
  const which = asks.map((one) => `${one.step} (${JSON.stringify(clip(one.question, longestShown))})`).join(", ");
  throw new InputError(`say which step the answer is for, by \`step\`: ${which}`);
}

/** What the person is asked now, the first one first. */
export function asksOf(state: MissionState | undefined) {
  const steps = state?.phase === "open" ? Object.entries(state.steps) : [];
  return steps.flatMap(([step, { is, asked, question, options }]) =>
    is === "asking" && asked !== undefined ? [{ step, asked, question: question ?? "", options }] : [],
  );
}

function summaryOf({ id, plan, at }: Mission, { status, state }: MissionView): object {
  const steps = plan.steps.map((one) => `${one.id}: ${state?.steps[one.id]?.is ?? "waiting"}`);
  const asks = asksOf(state).map(({ step, question, options }) => ({
    step,
    question: clip(question, longestShown),
    ...(options === undefined ? {} : { options }),
  }));
  const left = Object.values(state?.steps ?? {}).filter((one) => !isOver(one)).length;
  return {
    mission: id,
    title: plan.title,
    state: status,
    since: new Date(at).toISOString().slice(0, 16),
    steps,
    left,
    ...(asks.length === 0 ? {} : { asks }),
  };
}
