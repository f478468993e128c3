/** Erases what is kept of a caller's tasks with one agent: what runs is cancelled and waited for, then its records and files go. */
import { InputError } from "./errors.ts";
import type { Blobs, Clock } from "./ports.ts";
import { beatMs } from "./task-run.ts";
import { taskKey, type StoredTask, type TaskStore } from "./task-store.ts";
import { blobsOf } from "./tenant-blobs.ts";
import { isEnded, type Task, type Tasks } from "./tasks.ts";

export interface ErasingOptions {
  readonly agent: string;
  readonly store: TaskStore;
  readonly blobs: Blobs;
  readonly clock: Clock;
  readonly cancel: Tasks["cancel"];
  /** Here; where `shared`, a runner that is not `instance` may be at it elsewhere. */
  readonly isRunning: (key: string) => boolean;
  readonly instance: string;
  readonly shared: boolean;
  /** Its job is over. */
  readonly disarm: (key: string) => Promise<void>;
  /** What others keep on the task's account goes, too. */
  readonly erased: ((task: Pick<Task, "agent" | "caller" | "id">) => Promise<void>) | undefined;
}

/** A run that does not heed its signal is waited for no longer. What it still does is written nowhere. */
const patienceMs = 10_000;
const lookMs = 50;

export function createErasing(options: ErasingOptions): Tasks["erase"] {
  const { agent, store, blobs, clock, cancel, isRunning, instance, shared, disarm, erased } = options;
  const pause = (ms: number) => new Promise<void>((resolve) => void clock.after(ms, resolve));

  return async (caller, only) => {
    const ids = only === undefined ? await store.ids(agent, caller) : [only, ...(await childrenOf(only))];
    const keys = ids.map((id) => taskKey(agent, caller, id));
    const before = await Promise.all(keys.map((key) => store.find(key)));
    const open = before.filter((task) => task !== undefined && !isEnded(task));
    await Promise.all(open.map((task) => cancelled(task?.id ?? "")));
    const isElsewhere = shared && open.some((task) => task?.runner !== undefined && task.runner !== instance);
    // Then its runner has seen it.
    if (isElsewhere) await pause(beatMs + 1_000);
    const until = clock.monotonic() + patienceMs;
    while (keys.some(isRunning) && clock.monotonic() < until) await pause(lookMs);
    for (const id of ids) await remove(id);
    await store.delist(agent, caller, ids);

    async function childrenOf(id: string): Promise<readonly string[]> {
      return (await store.find(taskKey(agent, caller, id)))?.children ?? [];
    }

    async function cancelled(id: string): Promise<void> {
      try {
        await cancel(caller, id);
      } catch (error) {
        // It came to its end meanwhile.
        if (!(error instanceof InputError)) throw error;
      }
    }

    async function remove(id: string): Promise<void> {
      const key = taskKey(agent, caller, id);
      const task = await store.find(key);
      await erased?.({ agent, caller, id });
      const own = blobsOf(blobs, caller.tenant);
      for (const blob of task === undefined ? [] : blobsIn(task)) await own.remove(blob);
      await disarm(key);
      await store.remove(key);
    }
  };
}

function blobsIn({ messages, artifacts, said }: StoredTask): readonly string[] {
  const parts = [...messages, ...artifacts, ...(said === undefined ? [] : [said])].flatMap((one) => one.parts);
  return parts.flatMap((part) => (part.kind === "file" ? [part.blob] : []));
}
