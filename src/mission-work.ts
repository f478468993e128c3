/** What a mission's program asks for, done: each under a key that derives from the mission and the step, so that twice is once. */
import { createHash } from "node:crypto";
import { callerOf } from "./delegation-parts.ts";
import type { MissionTasks } from "./delegation-missions.ts";
import { InputError, reasonOf, RetryableError, TerminalError } from "./errors.ts";
import { digestOf } from "./ids.ts";
import type { Answer } from "./message.ts";
import { buttonOf } from "./mission-buttons.ts";
import { clip, type MissionEffect, type MissionState } from "./mission.ts";
import type { Mission, MissionStore } from "./mission-store.ts";
import type { Clock, Jobs, Log } from "./ports.ts";
import type { Proactive } from "./proactive.ts";

/** How long an agent may be out of reach before its step has failed. */
const unreachedMs = 3_600_000;
const longestReport = 14_000;
const mostFiles = 10;
/** After its end the runtime needs the workflow for a moment yet. */
const clearedMs = 30_000;

export interface MissionWorkOptions {
  readonly store: MissionStore;
  readonly tasks: MissionTasks;
  readonly proactive: Pick<Proactive, "say" | "prompt">;
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
export function createMissionWork(options: MissionWorkOptions) {
  const { store, tasks, proactive, clock, log } = options;

  async function delegate(mission: Mission, of: Extract<MissionEffect, { do: "delegate" }>) {
    const { id, agentName, to, participant } = mission;
    const stopped = async () => (await store.find(id))?.stopped === true;
    if (await stopped()) return null;
    try {
      await tasks.begin({
        key: taskKey(id, of.step),
        of: { id, step: of.step },
        agentName,
        to,
        participant,
        caller: callerOf(to.tenant, mission.agent),
        chain: [...mission.chain, options.chainName(to.agent ?? agentName)],
        agent: of.agent,
        task: of.task,
      });
    } catch (error) {
      if (error instanceof InputError) return { failed: error.message };
      if (!(error instanceof RetryableError) || clock.now() - of.since < unreachedMs) throw error;
      return { failed: `the agent ${of.agent} could not be reached for an hour` };
    }
    // It was stopped meanwhile: who stopped it may not have seen this one.
    if (await stopped()) await tasks.stop(id);
    return null;
  }

  async function ask(
    mission: Mission,
    { step, asked, question, options: given }: Extract<MissionEffect, { do: "ask" }>,
  ) {
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
    try {
      await proactive.say(mission, `mission ${digestOf(`${mission.id} ${step} ${asked}`)}`, answer);
      return null;
    } catch (error) {
      if (error instanceof InputError) return { failed: `the person cannot be asked: ${error.message}` };
      throw error;
    }
  }

  async function stop({ id }: Mission): Promise<null> {
    await store.change(id, (now) => (now.stopped === true ? undefined : { ...now, stopped: true }));
    await tasks.stop(id);
    return null;
  }

  async function report(mission: Mission, state: MissionState): Promise<null> {
    await stop(mission);
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
    const note = { topic: "a mission's result", text: reportOf(mission.id, state), files: files.slice(0, mostFiles) };
    try {
      await proactive.prompt(mission, `mission ${digestOf(mission.id)}`, note);
    } catch (error) {
      if (!(error instanceof InputError || error instanceof TerminalError)) throw error;
      log.warn({ mission: mission.id, reason: reasonOf(error) }, "what became of a mission cannot be told");
    }
  }

  return async function run({ mission: id, effect }: { readonly mission: string; readonly effect: MissionEffect }) {
    const mission = await store.find(id);
    // Erased: there is nobody to do it for.
    if (mission === undefined) return null;
    switch (effect.do) {
      case "delegate":
        return delegate(mission, effect);
      case "ask":
        return ask(mission, effect);
      case "reply":
        await tasks.reply(taskKey(id, effect.step), taskKey(id, `${effect.step} ${effect.asked}`), effect.text);
        return null;
      case "stop":
        return stop(mission);
      case "report":
        return report(mission, effect.state);
    }
  };
}

/** For the agent, as data; the last line is the gateway's own. */
export function reportOf(id: string, { plan, steps, because }: MissionState): string {
  const each = Math.floor(longestReport / plan.steps.length) - 80;
  const lines = plan.steps.map((step) => {
    const { is, text } = steps[step.id] ?? { is: "skipped" };
    const how = because !== undefined && is !== "done" && is !== "failed" ? "not done" : is;
    return `- ${step.id} (${whatOf(step)}): ${how}${text === undefined ? "" : `: ${clip(text, Math.max(each, 200))}`}`;
  });
  const failed = Object.values(steps).some(({ is }) => is === "failed" || is === "skipped");
  const end =
    because === undefined
      ? failed
        ? "it has ended, and not all of it succeeded"
        : "it is completed"
      : `it was ended: ${because}`;
  return [`Goal: ${plan.goal}`, ...lines, `(mission ${JSON.stringify(id)} ${JSON.stringify(plan.title)}: ${end})`].join(
    "\n",
  );
}

function whatOf(step: MissionState["plan"]["steps"][number]): string {
  if (step.do === "delegate") return `the agent ${step.agent}`;
  return step.do === "ask" ? "asked the person" : "waited";
}
