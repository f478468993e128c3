/** What the run of a task knows of its caller's other tasks with the same agent, and does to them. */
import type { TaskHooks } from "./skilled.ts";
import { taskKey, type StoredTask, type TaskStore } from "./task-store.ts";
import { isEnded } from "./tasks.ts";

type Named = Pick<StoredTask, "agent" | "caller" | "id">;

export function besideTask(
  store: TaskStore,
  { agent, caller, id }: Named,
  complete: (task: Named) => Promise<void>,
): Pick<TaskHooks, "others" | "end"> {
  return {
    async others() {
      const ids = (await store.ids(agent, caller)).filter((other) => other !== id);
      const found = await Promise.all(ids.map((other) => store.find(taskKey(agent, caller, other))));
      return found.flatMap((task) => {
        if (task === undefined || isEnded(task) || task.parent !== undefined) return [];
        return [{ task: task.id, context: task.context, state: task.saved }];
      });
    },
    async end(other) {
      if (other !== id) await complete({ agent, caller, id: other });
    },
  };
}
