/**
 * Who wants to be told of a task is told of its newest state until that is taken: what changes meanwhile is told with it. What is not
 * taken is tried again for about an hour, and then with the next change.
 */
import { InputError, reasonOf, TerminalError } from "./errors.ts";
import type { Clock, Log } from "./ports.ts";
import { createRecent } from "./recent.ts";
import type { StoredPush, StoredTask, TaskStore } from "./task-store.ts";
import type { Task, TaskPush } from "./tasks.ts";

export interface PushSender {
  /** Why nobody can be told there, in words for the caller; undefined where it would be tried. */
  refusal(push: TaskPush): Promise<string | undefined>;
  /** One try. @throws TerminalError where no other one helps: it is told no more. */
  send(push: TaskPush, task: Task): Promise<void>;
}

const waits = [1, 5, 30, 120, 600, 1_800].map((seconds) => seconds * 1_000);

export interface PushesOptions {
  readonly store: TaskStore;
  readonly sender: PushSender | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly view: (task: StoredTask) => Task;
}

export interface Pushes {
  /**
   * Tells whoever is to be told now. @returns when somebody is to be told next; undefined where nobody is.
   * @param task as it was just seen, else it is looked up.
   */
  deliver(key: string, task?: StoredTask): Promise<number | undefined>;
  /** As deliver, for a version whose writer has begun that: it is not done again. */
  delivered(key: string, task: StoredTask): Promise<number | undefined>;
}

export function createPushes({ store, sender, clock, log, view }: PushesOptions): Pushes {
  /** By task: one at a time, and once more for what came meanwhile. */
  const under = new Map<string, Promise<number | undefined>>();
  /** The last one that began with a version in hand. */
  const begun = createRecent<string, { readonly version: number; readonly next: Promise<number | undefined> }>(clock);

  const isDue = (push: StoredPush, version: number) => push.sent < version && push.nextAt <= clock.now();

  async function tell(push: StoredPush, task: StoredTask): Promise<StoredPush | undefined> {
    try {
      await sender?.send(push, view(task));
      return { ...push, sent: task.version, failures: 0, nextAt: 0 };
    } catch (error) {
      const about = { task: task.id, push: push.id, failures: push.failures + 1, reason: reasonOf(error) };
      if (error instanceof TerminalError) {
        log.warn(about, "a push notification is refused for good: nobody is told there any more");
        return undefined;
      }
      const wait = waits[push.failures];
      log.warn(about, wait === undefined ? "a push notification is given up" : "a push notification is tried again");
      if (wait === undefined) return { ...push, sent: task.version, failures: 0, nextAt: 0 };
      return { ...push, failures: push.failures + 1, nextAt: clock.now() + wait };
    }
  }

  /** @returns all there are afterwards. */
  async function tellAll(key: string, task: StoredTask, due: readonly StoredPush[]): Promise<readonly StoredPush[]> {
    const told = new Map(await Promise.all(due.map(async (push) => [push.id, await tell(push, task)] as const)));
    return store.changePushes(key, (now) =>
      now.flatMap((push) => {
        const after = told.get(push.id);
        if (!told.has(push.id)) return [push];
        // Another process may have told a newer state, or its caller may have replaced it.
        if (after === undefined) return [];
        return [push.url === after.url && push.sent <= after.sent ? { ...push, ...after } : push];
      }),
    );
  }

  async function round(key: string, known: StoredTask | undefined): Promise<number | undefined> {
    const task = known ?? (await store.find(key));
    if (task?.pushed !== true) return undefined;
    const all = await store.pushes(key);
    const due = all.filter((push) => isDue(push, task.version));
    const after = due.length === 0 ? all : await tellAll(key, task, due);
    const left = after.filter(({ sent }) => sent < task.version);
    return left.length === 0 ? undefined : Math.min(...left.map(({ nextAt }) => nextAt));
  }

  function deliver(key: string, task?: StoredTask): Promise<number | undefined> {
    const before = under.get(key);
    const next =
      before === undefined ? round(key, task) : before.catch(() => undefined).then(() => round(key, undefined));
    under.set(key, next);
    if (before === undefined && task !== undefined) begun.set(key, { version: task.version, next });
    const clear = () => {
      if (under.get(key) === next) under.delete(key);
    };
    next.then(clear, clear);
    return next;
  }

  return {
    deliver,
    delivered(key, task) {
      const one = begun.get(key);
      return one?.version === task.version ? one.next : deliver(key, task);
    },
  };
}

/** @throws InputError where it cannot be one. */
export function checkPush(push: TaskPush): void {
  const tooLong = [push.id, push.url, push.token ?? "", push.authentication?.credentials ?? ""].some(
    (one) => one.length > 2_000,
  );
  if (tooLong)
    throw new InputError("A push notification's id, url, token and credentials have 2000 characters at most.");
}
