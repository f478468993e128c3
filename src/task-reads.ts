/** What callers see of their tasks: one, a page of them, and one as it changes. */
import { InputError } from "./errors.ts";
import type { Clock } from "./ports.ts";
import type { TaskCaller } from "./skilled.ts";
import type { Bell, Listening } from "./task-bell.ts";
import { taskKey, type StoredTask, type TaskStore } from "./task-store.ts";
import { isSettled, taskPush, type Task, type TaskEvent, type TaskQuery, type Tasks } from "./tasks.ts";

export interface TaskReadsOptions {
  readonly agent: string;
  readonly store: TaskStore;
  readonly bell: Bell;
  readonly clock: Clock;
  readonly view: (task: StoredTask) => Task;
}

export function createTaskReads({
  agent,
  store,
  bell,
  clock,
  view,
}: TaskReadsOptions): Pick<Tasks, "get" | "list" | "watch" | "pushes"> {
  const keyOf = (caller: TaskCaller, id: string) => taskKey(agent, caller, id);

  async function* follow(
    key: string,
    first: StoredTask,
    { signal, mostMs }: { readonly signal: AbortSignal; readonly mostMs: number },
    listening: Listening,
  ): AsyncGenerator<TaskEvent, void, undefined> {
    const end = clock.monotonic() + mostMs;
    let last: StoredTask | undefined;
    try {
      while (!signal.aborted) {
        if (last === undefined || listening.isBehind()) {
          const now = last === undefined ? first : await store.find(key);
          if (now === undefined) return;
          if (now.version !== last?.version) {
            last = now;
            yield { task: view(now) };
          }
          if (isSettled(now)) return;
        }
        const now = clock.monotonic();
        if (now >= end) return;
        const progress = listening.progress();
        if (progress !== undefined) yield { task: view(last), progress };
        else await listening.changed(end - now, signal);
      }
    } finally {
      listening.close();
    }
  }

  return {
    async get(caller, id) {
      const found = await store.find(keyOf(caller, id));
      return found && view(found);
    },
    async list(caller, query) {
      const ids = await store.ids(agent, caller);
      const found = await Promise.all(ids.map((id) => store.find(keyOf(caller, id))));
      const fitting = found.flatMap((one) => (one !== undefined && fits(one, query) ? [view(one)] : []));
      return pageOf(fitting.toSorted(newestFirst), query);
    },
    async watch(caller, id, options) {
      const key = keyOf(caller, id);
      // Before the first look, so that nothing is missed between it and the next.
      const listening = bell.listen(key);
      const first = await store.find(key).catch((error: unknown) => {
        listening.close();
        throw error;
      });
      if (first !== undefined) return follow(key, first, options, listening);
      listening.close();
      return undefined;
    },
    async pushes(caller, id) {
      const key = keyOf(caller, id);
      if ((await store.find(key)) === undefined) return undefined;
      return (await store.pushes(key)).map((one) => taskPush.parse(one));
    },
  };
}

function fits(task: StoredTask, { context, state, changedAfter }: TaskQuery): boolean {
  // A child is its parent's own business.
  if (task.parent !== undefined) return false;
  if (context !== undefined && task.context !== context) return false;
  if (state !== undefined && task.state !== state) return false;
  return changedAfter === undefined || task.changedAt > changedAfter;
}

const newestFirst = (a: Task, b: Task) => b.changedAt - a.changedAt || (a.id < b.id ? -1 : 1);

function pageOf(all: readonly Task[], { limit, after }: TaskQuery) {
  const from = after === undefined ? 0 : startOf(all, after);
  const tasks = all.slice(from, from + limit);
  const last = tasks.at(-1);
  const more = from + limit < all.length && last !== undefined;
  return { tasks, next: more ? `${last.changedAt}.${last.id}` : undefined, total: all.length };
}

/** A task that changed since the page before is on none of the next ones: it comes first. */
function startOf(all: readonly Task[], after: string): number {
  const [, at, id] = /^(\d+)\.([\w-]+)$/.exec(after) ?? [];
  if (at === undefined || id === undefined) throw new InputError("There is no such page of tasks: begin without one.");
  const found = all.findIndex((one) => one.changedAt < Number(at) || (one.changedAt === Number(at) && one.id > id));
  return found === -1 ? all.length : found;
}
