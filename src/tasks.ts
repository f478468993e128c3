/**
 * Tasks: what a caller asks of an agent and what becomes of it. The A2A server serves this port; `task-host.ts` implements it for
 * every {@link SkilledAgent}.
 *
 * What belongs to one caller is not there for any other: every look-up is made with the caller.
 */
import { z } from "zod";
import { taskCaller, taskMessage, taskPart, type Profile, type TaskCaller, type TaskPart } from "./skilled.ts";

export const taskStates = [
  "submitted",
  "working",
  "input-required",
  "completed",
  "failed",
  "canceled",
  "rejected",
] as const;
export type TaskState = (typeof taskStates)[number];

const ended: readonly TaskState[] = ["completed", "failed", "canceled", "rejected"];
/** Nothing happens to it any more. */
export const isEnded = ({ state }: { readonly state: TaskState }): boolean => ended.includes(state);
/** It is the caller's turn: nothing happens until the caller says something. */
export const isSettled = (task: { readonly state: TaskState }): boolean =>
  isEnded(task) || task.state === "input-required";

export const taskArtifact = z.object({ id: z.string(), parts: z.array(taskPart) });
export type TaskArtifact = z.infer<typeof taskArtifact>;
/** The artifact that holds what a task was completed with. */
export const resultId = "result";

export const task = z.object({
  id: z.string(),
  agent: z.string(),
  caller: taskCaller,
  context: z.string(),
  state: z.enum(taskStates),
  /** What the agent says of its state: a question, a reason, what it waits for. */
  said: taskMessage.optional(),
  /** Oldest first; the agent's own included. */
  messages: z.array(taskMessage),
  artifacts: z.array(taskArtifact),
  createdAt: z.number(),
  changedAt: z.number(),
  /** Nothing runs before. */
  dueAt: z.number().optional(),
  /** Rises with every change that callers see. */
  version: z.number(),
});
export type Task = z.infer<typeof task>;

/** A message of the caller's. */
export interface Told {
  /** The caller's own: once more with the same one is the same message. */
  readonly id: string;
  /** The task that it goes on with; absent: a new one. */
  readonly task?: string | undefined;
  readonly context?: string | undefined;
  readonly parts: readonly TaskPart[];
  readonly locale?: string | undefined;
  readonly timeZone?: string | undefined;
  /** The agents that it came through, the first one first. */
  readonly chain?: readonly string[] | undefined;
}

export interface TaskQuery {
  readonly context?: string | undefined;
  readonly state?: TaskState | undefined;
  /** Milliseconds since the epoch. */
  readonly changedAfter?: number | undefined;
  readonly limit: number;
  /** Of the page before. */
  readonly after?: string | undefined;
}

export interface TaskPage {
  /** The one that changed last is the first. */
  readonly tasks: readonly Task[];
  readonly next: string | undefined;
  readonly total: number;
}

/** Where a caller wants to be told of every change. */
export const taskPush = z.object({
  id: z.string(),
  url: z.string(),
  /** Comes back with every notification, so that the receiver knows it for genuine. */
  token: z.string().optional(),
  authentication: z.object({ scheme: z.string(), credentials: z.string() }).optional(),
  /** The protocol's version that the caller spoke. */
  wire: z.string(),
});
export type TaskPush = z.infer<typeof taskPush>;

export interface TaskEvent {
  readonly task: Task;
  /** What it is doing, in a few words; nobody keeps it. */
  readonly progress?: string;
}

export interface Tasks {
  readonly profile: Profile;
  /**
   * Durable when it resolves, and begun.
   * @throws InputError that says what to do: no such task (404), one that has ended (409), too large (413), too many (429).
   */
  send(caller: TaskCaller, told: Told, push?: TaskPush): Promise<Task>;
  get(caller: TaskCaller, id: string): Promise<Task | undefined>;
  list(caller: TaskCaller, query: TaskQuery): Promise<TaskPage>;
  /** Undefined where there is none. @throws InputError (409) where it has ended already. */
  cancel(caller: TaskCaller, id: string): Promise<Task | undefined>;
  /**
   * Open ones are cancelled. Then nothing is left of the caller's tasks, or of the one: no record, no file that came with it or was made
   * in it, nothing of what its agent asked of others. One that is not there is no error; what breaks off is done again by another call.
   */
  erase(caller: TaskCaller, id?: string): Promise<void>;
  /**
   * The task as it is and then whenever it changed, until it is settled, `signal` aborts or `mostMs` are over. Undefined where
   * there is none.
   */
  watch(
    caller: TaskCaller,
    id: string,
    options: { readonly signal: AbortSignal; readonly mostMs: number },
  ): Promise<AsyncGenerator<TaskEvent, void, undefined> | undefined>;
  /** Undefined where there is no such task. One with the id of another replaces it. @throws InputError */
  addPush(caller: TaskCaller, id: string, push: TaskPush): Promise<TaskPush | undefined>;
  pushes(caller: TaskCaller, id: string): Promise<readonly TaskPush[] | undefined>;
  /** False where there is no such task. */
  removePush(caller: TaskCaller, id: string, push: string): Promise<boolean>;
}
