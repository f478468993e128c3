/** What this process does about tasks: one pursuit of each at a time, from its claim to its rest. */
import { reasonOf } from "./errors.ts";
import type { SkilledAgent } from "./skilled.ts";
import { endChildren, isOrphan } from "./task-children.ts";
import type { Pushes } from "./task-push.ts";
import { failed, mostAttempts, RunOver, runTask, seen, showsLife, type RunParts } from "./task-run.ts";
import type { StoredTask } from "./task-store.ts";
import { isEnded, isSettled } from "./tasks.ts";

export interface PursuitsOptions extends RunParts {
  readonly pushes: Pushes;
  readonly instance: string;
  readonly watchMs: number;
  /** Runs at once; more wait for a place. Whoever waits for another's run keeps it from no place: each hop has as many of its own. */
  readonly mostRuns: number;
  /** Its job is over. */
  readonly cancel: (key: string) => Promise<void>;
}

export interface Pursuits {
  readonly draining: boolean;
  has(key: string): boolean;
  /** The agent is at work on it here; unlike {@link has}, which counts what is told of it, too. */
  isRunning(key: string): boolean;
  /** Has this process look at the task now, once more where it is at it already. */
  wake(key: string, agent: SkilledAgent): void;
  /** Resolves when this process is at it no more. */
  resting(key: string): Promise<void>;
  /** Its run here, where there is one, counts no more. */
  abort(key: string, reason: string): void;
  /** No more runs; those that still run after `graceMs` are left to the next process. */
  drain(graceMs: number): Promise<void>;
}

interface Pursuit {
  again: boolean;
  over: Promise<void>;
  abort: AbortController | undefined;
}

export function createPursuits(options: PursuitsOptions): Pursuits {
  const { store, records, clock, log, shared, changed, arm, pushes, instance, watchMs, mostRuns, cancel } = options;
  const pursuits = new Map<string, Pursuit>();
  const places = new Map<number, { active: number; readonly waiting: (() => void)[] }>();
  let draining = false;
  let idle: (() => void) | undefined;

  function wake(key: string, agent: SkilledAgent): void {
    const known = pursuits.get(key);
    if (known !== undefined) return void (known.again = true);
    if (draining) return;
    const pursuit: Pursuit = { again: true, abort: undefined, over: Promise.resolve() };
    pursuits.set(key, pursuit);
    pursuit.over = pursue(key, agent, pursuit)
      .catch((error: unknown) => log.warn({ job: key, reason: reasonOf(error) }, "a task waits for its job"))
      .finally(() => {
        pursuits.delete(key);
        if (pursuit.again && !draining) wake(key, agent);
        else if (pursuits.size === 0) idle?.();
      });
  }

  async function pursue(key: string, agent: SkilledAgent, pursuit: Pursuit): Promise<void> {
    while (pursuit.again && !draining) {
      pursuit.again = false;
      await step(key, agent, pursuit);
    }
  }

  async function step(key: string, agent: SkilledAgent, pursuit: Pursuit): Promise<void> {
    const task = await store.find(key);
    if (task === undefined) return void (await cancel(key));
    if (await rests(key, agent, task, pushes.deliver)) return;
    if (await isOrphan(options, task)) return options.family.cancel(task);
    if (task.runner !== undefined && task.runner !== instance && shared && (await showsLife(records, clock, key)))
      return rest(key, await pushes.deliver(key, task), clock.now() + watchMs);
    const left = await run(key, agent, pursuit, task);
    if (left === undefined || !(await rests(key, agent, left, pushes.delivered))) pursuit.again = true;
  }

  /** @returns the task as its run left it; undefined where that is not known, or there was none. */
  async function run(
    key: string,
    agent: SkilledAgent,
    pursuit: Pursuit,
    task: StoredTask,
  ): Promise<StoredTask | undefined> {
    const leave = await place(task.chain?.length ?? 0);
    try {
      if (draining) return undefined;
      const claimed = await claim(key, task);
      if (claimed === undefined || isSettled(claimed)) return undefined;
      pursuit.abort = new AbortController();
      return await runTask(options, agent, key, claimed, pursuit.abort);
    } finally {
      pursuit.abort = undefined;
      leave();
    }
  }

  /** @returns what gives it back. */
  async function place(hops: number): Promise<() => void> {
    const own = places.get(hops) ?? { active: 0, waiting: [] };
    places.set(hops, own);
    own.active++;
    if (own.active > mostRuns) await new Promise<void>((resolve) => void own.waiting.push(resolve));
    return () => {
      own.active--;
      own.waiting.shift()?.();
    };
  }

  /** Whether nothing is to be done for it now; its job is set then. */
  async function rests(
    key: string,
    agent: SkilledAgent,
    task: StoredTask,
    deliver: Pushes["delivered"],
  ): Promise<boolean> {
    const { dueAt } = task;
    if (isSettled(task)) await endChildren(options, task);
    if (isEnded(task)) await agent.ended?.({ task: task.id, caller: task.caller });
    if (!isSettled(task) && (dueAt === undefined || dueAt <= clock.now())) return false;
    await rest(key, await deliver(key, task), isSettled(task) ? undefined : dueAt);
    return true;
  }

  /** Nothing runs until then: its job comes at that time, or at `next` for who is to be told again. */
  async function rest(key: string, next: number | undefined, dueAt: number | undefined): Promise<void> {
    const at = Math.min(dueAt ?? Infinity, next ?? Infinity);
    if (at === Infinity) await cancel(key);
    else await arm(key, at);
  }

  async function claim(key: string, before: StoredTask): Promise<StoredTask | undefined> {
    const written = await store.change(key, (task) => {
      if (task.runs !== before.runs || task.runner !== before.runner || isSettled(task)) return undefined;
      const died = task.runner !== undefined;
      const attempts = task.attempts + (died ? 1 : 0);
      if (attempts >= mostAttempts) return failed({ ...task, attempts }, undefined, clock);
      const { dueAt: _due, ...rest_ } = task;
      const next = { ...rest_, state: "working" as const, runner: instance, runs: task.runs + 1, attempts };
      const run: StoredTask = died ? { ...next, because: "died" } : next;
      return task.state === "working" ? run : seen(run, clock);
    });
    if (written !== undefined && written.version > before.version) changed(key, written);
    return written;
  }

  return {
    get draining() {
      return draining;
    },
    has: (key) => pursuits.has(key),
    isRunning: (key) => pursuits.get(key)?.abort !== undefined,
    wake,
    resting: async (key) => pursuits.get(key)?.over,
    abort: (key, reason) => pursuits.get(key)?.abort?.abort(new RunOver(reason)),
    async drain(graceMs) {
      draining = true;
      if (pursuits.size === 0) return;
      const ended = new Promise<void>((resolve) => (idle = resolve));
      const stop = clock.after(graceMs, () => {
        for (const { abort } of pursuits.values()) abort?.abort(new RunOver("stopping"));
      });
      const late = new Promise<void>((resolve) => void clock.after(graceMs + 1_000, resolve));
      await Promise.race([ended, late]);
      stop();
    },
  };
}
