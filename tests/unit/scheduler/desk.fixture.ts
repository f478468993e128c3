/** The scheduler's tasks run by hand: a clock that is set, tasks in memory, and a run that can be killed between any two of its steps. */
import type { ModelProvider } from "@openai/agents";
import { createScheduler } from "../../../agents/skills/scheduler/index.ts";
import { schedulerSettings } from "../../../agents/skills/scheduler/settings.ts";
import type { Clock } from "../../../src/ports.ts";
import type { TaskCaller, TaskHooks, TaskMessage, TaskOutcome, TaskPart, TaskRun } from "../../../src/skilled.ts";
import { quiet } from "../client-agent.fixture.ts";

export interface DeskTask {
  readonly id: string;
  readonly caller: TaskCaller;
  readonly messages: TaskMessage[];
  readonly artifacts: Map<string, readonly TaskPart[]>;
  state: unknown;
  outcome: TaskOutcome | undefined;
  ended: boolean;
  locale: string | undefined;
  timeZone: string | undefined;
}

export interface DeskOptions {
  readonly now?: number;
  readonly timeZone?: string;
  readonly locale?: string;
  readonly settings?: Readonly<Record<string, unknown>>;
  readonly models?: ModelProvider;
}

export class Killed extends Error {}

export const textIn = (parts: readonly TaskPart[]): string =>
  parts.flatMap((part) => (part.kind === "text" ? [part.text] : [])).join("\n");

export function openDesk(options: DeskOptions = {}) {
  let now = options.now ?? Date.UTC(2026, 10, 26, 14, 30, 20);
  const clock: Clock = {
    now: () => now,
    monotonic: () => now,
    after: (ms, task) => {
      const timer = setTimeout(task, Math.min(ms, 5));
      return () => clearTimeout(timer);
    },
  };
  const tasks = new Map<string, DeskTask>();
  const provider = options.models ?? {
    getModel: () => {
      throw new Error("the demo needs no model");
    },
  };
  const settings = { model: "demo", ...options.settings };
  const agent = createScheduler(
    { ...schedulerSettings.parse(settings), model: settings.model },
    { models: { provider, clock, log: quiet }, clock },
  );
  /** Steps until the run is killed; each hook is one, and so is its outcome. */
  let steps = Infinity;
  const step = () => {
    steps -= 1;
    if (steps < 0) throw new Killed("killed");
  };

  async function run(task: DeskTask, because: TaskRun["because"]): Promise<void> {
    const hooks: TaskHooks = {
      signal: new AbortController().signal,
      progress: () => {},
      async save(state) {
        step();
        task.state = JSON.parse(JSON.stringify(state));
      },
      async artifact(id, parts) {
        step();
        if (!task.artifacts.has(id)) task.artifacts.set(id, parts);
      },
      async others() {
        return [...tasks.values()]
          .filter((other) => other !== task && !other.ended && other.caller.id === task.caller.id)
          .map((other) => ({ task: other.id, context: "c", state: other.state }));
      },
      async end(id) {
        step();
        const other = tasks.get(id);
        if (other !== undefined && other.caller.id === task.caller.id) other.ended = true;
      },
      child: () => Promise.reject(new Error("a reminder has no parts")),
    };
    const { id, caller, messages, locale, timeZone } = task;
    const given = { task: id, caller, context: "c", messages, state: task.state, because, locale, timeZone };
    const outcome = await agent.execute(given, hooks);
    step();
    task.outcome = outcome;
    if ("state" in outcome && outcome.state !== undefined) task.state = JSON.parse(JSON.stringify(outcome.state));
    if (outcome.kind === "completed") task.artifacts.set("result", outcome.parts);
    task.ended = ["completed", "failed", "rejected"].includes(outcome.kind);
  }

  const dueOf = (task: DeskTask) => (!task.ended && task.outcome?.kind === "waiting" ? task.outcome.until : Infinity);

  const desk = {
    tasks,
    clock,
    agent,
    now: () => now,
    /** Nothing runs meanwhile: the process is down. */
    skip: (ms: number) => void (now += ms),
    killAfter: (n: number) => void (steps = n),
    revive: () => void (steps = Infinity),
    again: (task: DeskTask) => run(task, "died"),
    async say(
      text: string,
      more: { task?: DeskTask; caller?: string; timeZone?: string | undefined } = {},
    ): Promise<DeskTask> {
      const timeZone = "timeZone" in more ? more.timeZone : options.timeZone;
      const task: DeskTask = more.task ?? {
        id: `task-${tasks.size + 1}`,
        caller: { tenant: "t", id: more.caller ?? "ann" },
        messages: [],
        artifacts: new Map(),
        state: null,
        outcome: undefined,
        ended: false,
        locale: options.locale,
        timeZone,
      };
      tasks.set(task.id, task);
      const own = task.outcome?.kind === "input-required" ? [task.outcome.question] : [];
      for (const said of own)
        task.messages.push({ id: `q${task.messages.length}`, role: "agent", parts: [{ kind: "text", text: said }] });
      task.messages.push({ id: `m${task.messages.length}`, role: "user", parts: [{ kind: "text", text }] });
      await run(task, "said");
      return task;
    },
    /** Time passes, and each task runs when it is due. */
    async pass(ms: number): Promise<void> {
      const end = now + ms;
      for (;;) {
        const next = [...tasks.values()].toSorted((a, b) => dueOf(a) - dueOf(b))[0];
        if (next === undefined || dueOf(next) > end) break;
        now = Math.max(now, dueOf(next));
        await run(next, "due");
      }
      now = end;
    },
    told: (task: DeskTask) => [...task.artifacts.values()].map(textIn),
  };
  return desk;
}

/** What the agent says: its answer, its question, its reason, or what it waits for. */
export function saidBy(task: DeskTask): string {
  const { outcome } = task;
  if (outcome === undefined) return "";
  if (outcome.kind === "completed") return textIn(outcome.parts);
  if (outcome.kind === "input-required") return outcome.question;
  return outcome.kind === "waiting" ? (outcome.said ?? "") : outcome.reason;
}
