/** A caller's message as its task has it, and a task as its caller sees it. Pure. */
import { InputError } from "./errors.ts";
import type { Clock } from "./ports.ts";
import type { TaskCaller } from "./skilled.ts";
import { seen } from "./task-run.ts";
import { bytesOf, digest, type StoredTask, type TaskLimits } from "./task-store.ts";
import { isEnded, type Task, type Told } from "./tasks.ts";

/** @throws InputError that says what a message must be. */
export function checkTold(told: Told, limits: TaskLimits): void {
  if (told.id === "" || told.id.length > 200) throw new InputError("A message's id has 1 to 200 characters.");
  if ((told.context?.length ?? 0) > 200) throw new InputError("A context's id has at most 200 characters.");
  if (told.parts.length === 0) throw new InputError("A message has to have parts.");
  if (bytesOf(told.parts) > limits.messageBytes)
    throw new InputError(`A message has ${limits.messageBytes} bytes at most: send files as bytes, or less text.`, {
      status: 413,
    });
}

export function withoutDue({ dueAt: _due, ...task }: Task): Task {
  return task;
}

/** A task as its caller sees it. */
export function view(stored: StoredTask): Task {
  const { id, agent, caller, context, state, said, messages, artifacts, createdAt, changedAt, dueAt, version } = stored;
  const task = { id, agent, caller, context, state, messages, artifacts, createdAt, changedAt, version };
  return { ...task, ...(said !== undefined && { said }), ...(dueAt !== undefined && { dueAt }) };
}

interface Fresh {
  readonly parent: string | undefined;
  readonly agent: string;
  readonly caller: TaskCaller;
  readonly id: string;
  readonly told: Told;
  readonly pushed: boolean;
  readonly clock: Clock;
}

export function fresh({ parent, agent, caller, id, told, pushed, clock }: Fresh): StoredTask {
  const now = clock.now();
  return {
    v: 1,
    id,
    agent,
    caller,
    context: told.context ?? digest("context", id),
    state: "submitted",
    messages: [{ id: told.id, role: "user", parts: [...told.parts] }],
    artifacts: [],
    createdAt: now,
    changedAt: now,
    version: 0,
    saved: null,
    seen: [digest(told.id)],
    runs: 0,
    because: "said",
    attempts: 0,
    pushed,
    ...(parent !== undefined && { parent }),
    ...personOf(told),
  };
}

function personOf({ locale, timeZone, chain }: Told) {
  return {
    ...(locale !== undefined && { locale }),
    ...(timeZone !== undefined && { timeZone }),
    ...(chain !== undefined && { chain: [...chain] }),
  };
}

/** @throws InputError where it takes no more. */
export function withMessage(
  task: StoredTask,
  told: Told,
  pushed: boolean,
  limits: TaskLimits,
  clock: Clock,
): StoredTask {
  if (isEnded(task))
    throw new InputError(`The task is ${task.state}: begin another one, with the same context where it goes on.`, {
      status: 409,
    });
  if (told.context !== undefined && told.context !== task.context)
    throw new InputError("The task belongs to another context than this message.");
  if (task.messages.length >= limits.messages)
    throw new InputError(`A task has ${limits.messages} messages at most: begin another one with the same context.`, {
      status: 413,
    });
  const { dueAt: _due, said: _said, ...rest } = task;
  return {
    ...seen(rest, clock),
    state: "working",
    because: "said",
    attempts: 0,
    messages: [...task.messages, { id: told.id, role: "user", parts: [...told.parts] }],
    seen: [...task.seen, digest(told.id)],
    pushed: task.pushed || pushed,
    ...personOf(told),
  };
}
