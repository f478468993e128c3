/** What a mission's program asks for, done: each under a key that derives from the mission and the step, so that twice is once. */
import { createHash } from "node:crypto";
import type { z } from "zod";
import { callerOf } from "./delegation-parts.ts";
import { missionList, type MissionTasks } from "./delegation-missions.ts";
import { InputError, reasonOf, RetryableError, TerminalError } from "./errors.ts";
import { digestOf } from "./ids.ts";
import type { Answer } from "./message.ts";
import { buttonOf } from "./mission-buttons.ts";
import { ofPlan, type effectResult, type MissionEffect, type MissionState } from "./mission.ts";
import type { Mission, MissionStore } from "./mission-store.ts";
import { questionOf, reportOf } from "./mission-words.ts";
import type { Clock, Jobs, Log } from "./ports.ts";
import type { Proactive } from "./proactive.ts";
import type { TaskCaller } from "./skilled.ts";

/** How long an agent may be out of reach before its step has failed. */
const unreachedMs = 3_600_000;
const mostFiles = 10;
/** After its end the runtime needs the workflow for a moment yet. */
const clearedMs = 30_000;

export interface MissionWorkOptions {
  readonly store: MissionStore;
  readonly tasks: MissionTasks;
  readonly proactive: Pick<Proactive, "say" | "prompt">;
  readonly forgetTasks: (lists: readonly string[], callers: readonly TaskCaller[]) => Promise<void>;
  readonly chainName: (agent: string) => string;
  readonly jobs: Pick<Jobs, "schedule">;
  readonly clock: Clock;
  readonly log: Log;
}

/** Of a step's task, as delegations know it. */
export const taskKey = (mission: string, step: string): string =>
  createHash("sha256").update(`mission ${mission} ${step}`).digest("base64url");

export const jobOf = (mission: string): string => `mission:${mission}`;

/** @returns what the program is told: see `effectResult`. */
export type MissionWork = (of: {
  readonly mission: string;
  readonly effect: MissionEffect;
}) => Promise<z.infer<typeof effectResult>>;

export function createMissionWork(options: MissionWorkOptions): MissionWork {
  const { store, tasks, proactive, clock, log } = options;

  async function delegate(mission: Mission, of: Extract<MissionEffect, { do: "delegate" }>) {
    const { id, agentName, to, participant } = mission;
    const caller = callerOf(to.tenant, mission.agent);
    try {
      await tasks.begin({
        key: taskKey(id, of.step),
        of: { id, step: of.step },
        agentName,
        to,
        participant,
        caller,
        chain: [...mission.chain, options.chainName(to.agent ?? agentName)],
        agent: of.agent,
        task: of.task,
      });
    } catch (error) {
      if (error instanceof InputError) return { failed: error.message };
      if (!(error instanceof RetryableError) || clock.now() - of.since < unreachedMs) throw error;
      return { failed: `the agent ${of.agent} could not be reached for an hour` };
    }
    // Who stopped or forgot it meanwhile may not have seen this one.
    const now = await store.find(id);
    if (now === undefined) await options.forgetTasks([missionList(id)], [caller]);
    else if (now.stopped === true) await tasks.stop(id);
    return null;
  }

  async function ask(mission: Mission, effect: Asking) {
    try {
      await (effect.asked === ofPlan ? putOwn(mission, effect) : tellQuestion(mission, effect));
      return null;
    } catch (error) {
      if (error instanceof InputError) return { failed: `the person cannot be asked: ${error.message}` };
      throw error;
    }
  }

  const askId = ({ id }: Mission, { step, asked }: Asking) => `mission ${digestOf(`${id} ${step} ${asked}`)}`;

  /** In the plan's words, which were checked when it began, whoever may have led to them. */
  async function putOwn(mission: Mission, effect: Asking): Promise<void> {
    const { step, asked, question, options: given } = effect;
    const at = mission.plan.steps.findIndex(({ id }) => id === step);
    const buttons = given?.map((label, n) => ({
      id: buttonOf({ mission: mission.id, step: at, asked, option: n }),
      label,
    }));
    const answer: Answer = {
      parts: [{ kind: "text", text: question, format: "plain" }],
      notice: "toolAsks",
      values: { from: mission.plan.title },
      ...(buttons === undefined ? {} : { buttons }),
    };
    await proactive.say(mission, askId(mission, effect), answer, { outside: true });
  }

  /** Another agent's words, of which the one that began the mission makes its own, as of any task's question. */
  async function tellQuestion(mission: Mission, effect: Asking): Promise<void> {
    const text = questionOf(mission.id, mission.plan.title, effect.step, effect.question);
    const note = { topic: "a mission's question", text, agent: mission.agentName };
    await proactive.prompt(mission, askId(mission, effect), note);
  }

  /** False where it was forgotten meanwhile. */
  async function stop({ id }: Mission): Promise<boolean> {
    const now = await store.change(id, (of) => (of.stopped === true ? undefined : { ...of, stopped: true }));
    if (now !== undefined) await tasks.stop(id);
    return now !== undefined;
  }

  async function report(mission: Mission, state: MissionState): Promise<null> {
    if (!(await stop(mission))) return null;
    // Whoever cancelled it themselves knows.
    if (state.because !== "cancelled") await tell(mission, state);
    await store.change(mission.id, (now) =>
      now.end === undefined ? { ...now, end: { at: clock.now(), state: { ...state, phase: "over" } } } : undefined,
    );
    await store.ended(mission);
    await options.jobs.schedule(jobOf(mission.id), { dueAt: clock.now() + clearedMs }, { id: mission.id });
    return null;
  }

  async function tell(mission: Mission, state: MissionState): Promise<void> {
    const files = Object.values(state.steps).flatMap(({ files: made = [] }) => made.filter((one) => "source" in one));
    const text = reportOf(mission.id, state);
    const note = { topic: "a mission's result", text, files: files.slice(0, mostFiles), agent: mission.agentName };
    try {
      await proactive.prompt(mission, `mission ${digestOf(mission.id)}`, note);
    } catch (error) {
      if (!(error instanceof InputError || error instanceof TerminalError)) throw error;
      log.warn({ mission: mission.id, reason: reasonOf(error) }, "what became of a mission cannot be told");
    }
  }

  return async function run({ mission: id, effect }) {
    const mission = await store.find(id);
    // Erased: there is nobody to do it for.
    if (mission === undefined) return null;
    switch (effect.do) {
      case "delegate":
        return mission.stopped === true ? null : delegate(mission, effect);
      case "ask":
        return mission.stopped === true ? null : ask(mission, effect);
      case "reply":
        await tasks.reply(taskKey(id, effect.step), taskKey(id, `${effect.step} ${effect.asked}`), effect.text);
        return null;
      case "stop":
        if (effect.step === undefined) await stop(mission);
        else await tasks.stop(id, taskKey(id, effect.step));
        return null;
      case "report":
        return report(mission, effect.state);
    }
  };
}

type Asking = Extract<MissionEffect, { do: "ask" }>;
