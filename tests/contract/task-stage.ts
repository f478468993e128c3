/** What checks of the host of tasks are made of. */
import { randomUUID } from "node:crypto";
import type { Runtime } from "../../src/ports.ts";
import type { SkilledAgent, TaskCaller } from "../../src/skilled.ts";
import type { HostedTasks, TaskHostOptions } from "../../src/task-host.ts";
import type { Task, Tasks } from "../../src/tasks.ts";
import type { Execute } from "../services/a2a.ts";

export const ann: TaskCaller = { tenant: "t", id: "ann" };
export const bob: TaskCaller = { tenant: "t", id: "bob" };
export const said = (text: string, more: { id?: string; task?: string; context?: string } = {}) => ({
  id: randomUUID(),
  parts: [{ kind: "text" as const, text }],
  ...more,
});
export const done = (text: string) => ({ kind: "completed" as const, parts: [{ kind: "text" as const, text }] });
export const never = new Promise<never>(() => {});

export interface CheckOptions extends Partial<TaskHostOptions> {
  readonly shared?: true;
  readonly over?: SkilledAgent["ended"];
}
export type Check = (
  title: string,
  execute: Execute,
  body: (stage: Stage) => Promise<void>,
  options?: CheckOptions,
) => void;

export interface Stage {
  /** What the agent is called. */
  readonly agent: string;
  readonly tasks: HostedTasks;
  /** Another process beside the first one, where the runtime takes one; else the next one. */
  open(execute: Execute, runtime?: Runtime): HostedTasks;
  /** As a crash would. */
  restart(execute: Execute): Promise<HostedTasks>;
  ended(tasks: Tasks, id: string, ms?: number): Promise<Task>;
}
