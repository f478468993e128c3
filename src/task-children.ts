/**
 * Children of a task: tasks of the same agent for parts of it, each with a context of its own, and durable like any other. A task's
 * record names its children before they begin, and a child's names its parent, so that whichever process looks at one of them ends
 * what nobody waits for any more.
 */
import { checkHops } from "./chain.ts";
import { InputError } from "./errors.ts";
import type { Clock } from "./ports.ts";
import type { ChildEnd, TaskHooks } from "./skilled.ts";
import { digest, taskIdOf, taskKey, type StoredTask, type TaskLimits, type TaskStore } from "./task-store.ts";
import { isEnded, isSettled, resultId, type Task, type Tasks, type Told } from "./tasks.ts";

type Named = Pick<StoredTask, "agent" | "caller" | "id">;

/** The host's part in it. */
export interface Family {
  /** As {@link Tasks.send}; the same again for a child that is there. */
  begin(parent: StoredTask, told: Told): Promise<Task>;
  watch(of: Named, options: Parameters<Tasks["watch"]>[2]): ReturnType<Tasks["watch"]>;
  /** Nothing where it has ended, or is not there. */
  cancel(of: Named): Promise<void>;
}

export interface ChildrenParts {
  readonly store: TaskStore;
  readonly clock: Clock;
  readonly limits: TaskLimits;
  readonly family: Family;
  /** As {@link chainOf} has it. */
  readonly chainName: (agent: string) => string;
}

/** @param write changes the task where it is still the run's. */
export function spawning(
  { clock, limits, family, chainName }: ChildrenParts,
  task: StoredTask,
  signal: AbortSignal,
  write: (next: (task: StoredTask) => StoredTask | undefined) => Promise<void>,
): TaskHooks["child"] {
  const { agent, caller } = task;

  async function begin(key: string, of: Pick<Parameters<TaskHooks["child"]>[1], "parts">): Promise<Task> {
    if (task.parent !== undefined) throw new InputError("a part of a task is not divided again");
    const chain = [...(task.chain ?? []), chainName(agent)];
    checkHops(chain);
    const message = digest("child", task.id, key);
    const id = taskIdOf(agent, caller, message);
    await write((now) => {
      const { children = [] } = now;
      if (children.includes(id)) return undefined;
      if (children.length >= limits.children)
        throw new InputError(`a task has ${limits.children} parts at most that others work on`);
      return { ...now, children: [...children, id] };
    });
    const { locale, timeZone } = task;
    return family.begin(task, { id: message, parts: of.parts, chain, locale, timeZone });
  }

  return async (key, { parts, forMs, progress }) => {
    let last = await begin(key, { parts });
    const mostMs = Math.max(0, last.createdAt + forMs - clock.now());
    const events = await family.watch(last, { signal, mostMs });
    for await (const event of events ?? []) {
      last = event.task;
      if (event.progress !== undefined) progress?.(event.progress);
    }
    signal.throwIfAborted();
    if (!isEnded(last)) await family.cancel(last);
    return endOf(last);
  };
}

/** Ends those of its children that still work: nobody waits for them. */
export async function endChildren({ store, family }: ChildrenParts, task: StoredTask): Promise<void> {
  const { agent, caller, children = [] } = task;
  for (const id of children) {
    const child = await store.find(taskKey(agent, caller, id));
    if (child !== undefined && !isEnded(child)) await family.cancel(child);
  }
}

/** Whether it is a child whose parent waits for nothing any more. */
export async function isOrphan({ store }: ChildrenParts, { agent, caller, parent }: StoredTask): Promise<boolean> {
  if (parent === undefined) return false;
  const found = await store.find(taskKey(agent, caller, parent));
  return found === undefined || isSettled(found);
}

function endOf({ state, said, artifacts }: Task): ChildEnd {
  const words = said?.parts.flatMap((part) => (part.kind === "text" ? [part.text] : [])).join("\n") ?? "";
  switch (state) {
    case "completed":
      return { kind: "completed", parts: artifacts.find(({ id }) => id === resultId)?.parts ?? [] };
    case "input-required":
      return { kind: "failed", reason: `it would have to ask: ${words}` };
    case "submitted":
    case "working":
      return { kind: "failed", reason: "it was not done in its time" };
    case "canceled":
      return { kind: "failed", reason: "it was cancelled" };
    default:
      return { kind: "failed", reason: words };
  }
}
