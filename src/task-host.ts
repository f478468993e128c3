/**
 * Runs skilled agents' tasks, durably. A task's record says all that there is to know; one job per open task looks at it at its time,
 * and again every {@link watchMs} while it runs, so that a run that died with its process is made again. The job is there before
 * the record is; where the process lives nothing waits for it. One that is due is over when its task rests ("task-jobs.ts").
 *
 * One run at a time of one task: a run claims the record by its ETag, and where other processes may take tasks over, its runner says
 * every four seconds that it lives. Only the outcome of the claim that holds is written.
 */
import { InputError } from "./errors.ts";
import type { Clock, Log, Runtime, Signals } from "./ports.ts";
import type { SkilledAgent, TaskCaller } from "./skilled.ts";
import { createBell } from "./task-bell.ts";
import type { Family } from "./task-children.ts";
import { checkPush, createPushes, type PushSender } from "./task-push.ts";
import { createErasing } from "./task-erase.ts";
import { createPursuits } from "./task-pursuits.ts";
import { poke, seen } from "./task-run.ts";
import {
  createTaskStore,
  defaultTaskLimits,
  digest,
  taskIdOf,
  taskKey,
  type StoredTask,
  type TaskLimits,
} from "./task-store.ts";
import { createTaskJobs, taskJob } from "./task-jobs.ts";
import { createTaskReads } from "./task-reads.ts";
import { checkTold, fresh, view, withMessage, withoutDue } from "./task-told.ts";
import { isEnded, isSettled, type Task, type TaskPush, type Tasks, type Told } from "./tasks.ts";

export interface TaskHostOptions {
  readonly runtime: Pick<Runtime, "records" | "jobs" | "blobs"> & {
    readonly actors: Pick<Runtime["actors"], "exclusive">;
  };
  readonly clock: Clock;
  readonly log: Log;
  readonly instance: string;
  readonly signals?: Signals | undefined;
  readonly sender?: PushSender | undefined;
  /** What others keep on a task's account goes with it; may come again. */
  readonly erased?: ((task: Pick<Task, "agent" | "caller" | "id">) => Promise<void>) | undefined;
  readonly limits?: Partial<TaskLimits>;
  /** One run at most. */
  readonly runMs?: number;
  /** Runs at once. */
  readonly mostRuns?: number;
  readonly watchMs?: number;
  /** What an agent is called in chains; by default as it is called here. */
  readonly chainName?: (agent: string) => string;
}

export interface HostedTasks extends Tasks {
  /**
   * For an agent whose work ends elsewhere: changes the task as its own run would, where it has not ended.
   * @returns the task afterwards; undefined where there is none.
   */
  settle(caller: TaskCaller, id: string, change: (task: Task) => Settling | undefined): Promise<Task | undefined>;
  /** What is being done, for whoever watches. */
  progress(caller: TaskCaller, id: string, text: string): void;
}
interface Hosted extends HostedTasks {
  spawn: Family["begin"];
}
export type Settling = Pick<Task, "state" | "artifacts" | "messages"> & Pick<Partial<Task>, "said">;

/** For an agent whose runs only hand the task over: "waiting" means that its end may come at any time, until then. */
export interface Elsewhere {
  /** Before the task is cancelled; once more where that failed. */
  cancel(task: Task): Promise<void>;
}

export interface TaskHost {
  /** Once for each agent, before the runtime starts. */
  add(agent: SkilledAgent, elsewhere?: Elsewhere): HostedTasks;
  /** A job of this name is due. False where it is another's. */
  run(job: string, data: unknown): Promise<boolean>;
  /** No more runs; those that still run after `graceMs` are left to the next process. */
  drain(graceMs: number): Promise<void>;
}

const mostProgress = 4_000;
/** What a process that stops leaves to the next one, or to another. */
const leftMs = 1_000;
const defaultRunMs = 30 * 60_000;
const defaultMostRuns = 64;
const defaultWatchMs = 10_000;
/** A job that is due may take so long, where another one costs calls. */
const mostHeldMs = 5_000;

export function createTaskHost(options: TaskHostOptions): TaskHost {
  const { runtime, clock, log, instance, signals, sender } = options;
  const { records, jobs } = runtime;
  const limits = { ...defaultTaskLimits, ...options.limits };
  const shared = !runtime.actors.exclusive;
  const watchMs = options.watchMs ?? defaultWatchMs;
  const store = createTaskStore(records, clock, limits);
  const bell = createBell({ clock, signals, shared });
  const pushes = createPushes({ store, sender, clock, log, view });
  const agents = new Map<string, SkilledAgent>();
  const hosted = new Map<string, Hosted>();

  const taskJobs = createTaskJobs({ jobs, clock, watchMs, heldMs: Math.min(mostHeldMs, watchMs / 2) });
  const { arm, disarm } = taskJobs;

  function changed(key: string, task: StoredTask): void {
    bell.ring(key);
    if (task.pushed) pushes.deliver(key, task).catch(() => undefined);
  }

  const family: Family = {
    async begin(parent, told) {
      const own = hosted.get(parent.agent);
      if (own === undefined) throw new Error("a task of an agent that is not here");
      return own.spawn(parent, told);
    },
    watch: async ({ agent, caller, id }, of) => hosted.get(agent)?.watch(caller, id, of),
    async cancel({ agent, caller, id }) {
      try {
        await hosted.get(agent)?.cancel(caller, id);
      } catch (error) {
        if (!(error instanceof InputError)) throw error; // it has ended meanwhile
      }
    },
  };

  const parts = {
    family,
    chainName: options.chainName ?? ((agent: string) => agent),
    store,
    records,
    clock,
    log,
    bell,
    limits,
    runMs: options.runMs ?? defaultRunMs,
    shared,
    changed,
    arm,
    async complete({ agent, caller, id }: Pick<StoredTask, "agent" | "caller" | "id">) {
      const end = ({ messages, artifacts }: Task) => ({ state: "completed" as const, messages, artifacts });
      await hosted.get(agent)?.settle(caller, id, end);
    },
  };

  const pursuits = createPursuits({
    ...parts,
    pushes,
    instance,
    watchMs,
    mostRuns: options.mostRuns ?? defaultMostRuns,
    cancel: disarm,
  });
  const { wake } = pursuits;

  function add(agent: SkilledAgent, elsewhere?: Elsewhere): HostedTasks {
    const { name } = agent.profile;
    // When it is looked at again is nothing that its caller waits for.
    const shown = (task: StoredTask): Task => (elsewhere === undefined ? view(task) : withoutDue(view(task)));
    agents.set(name, agent);
    const keyOf = (caller: TaskCaller, id: string) => taskKey(name, caller, id);
    const hasOthers = (task: StoredTask) => task.children !== undefined || agent.ended !== undefined;

    async function begin(
      caller: TaskCaller,
      told: Told,
      push: TaskPush | undefined,
      parent?: string,
    ): Promise<StoredTask> {
      const id = taskIdOf(name, caller, told.id);
      const key = keyOf(caller, id);
      const known = await store.find(key);
      if (known === undefined) {
        await store.enlist(name, caller, id);
        if (push !== undefined) await putPush(key, push, -1);
      }
      // Whoever sends again may do so because its first try died before this.
      if (known === undefined || !isSettled(known)) await arm(key, clock.now() + watchMs);
      const pushed = push !== undefined;
      return known ?? store.create(key, fresh({ parent, agent: name, caller, id, told, pushed, clock }));
    }

    async function goOn(caller: TaskCaller, id: string, told: Told, push: TaskPush | undefined): Promise<StoredTask> {
      const key = keyOf(caller, id);
      const found = await store.find(key);
      const none = new InputError("There is no such task.", { status: 404 });
      if (found === undefined) throw none;
      const mark = digest(told.id);
      if (found.seen.includes(mark)) return found;
      if (push !== undefined) await putPush(key, push, -1);
      if (!isEnded(found)) await arm(key, clock.now() + watchMs);
      let known: StoredTask | undefined;
      const written = await store.change(key, (task) => {
        known = task;
        if (task.seen.includes(mark)) return undefined;
        return withMessage(task, told, push !== undefined, limits, clock);
      });
      if (written === undefined) {
        if (known === undefined) throw none;
        return known;
      }
      pursuits.abort(key, "superseded");
      if (shared && written.runner !== undefined) await poke(records, key, instance);
      changed(key, written);
      return written;
    }

    async function putPush(key: string, push: TaskPush, sent: number): Promise<void> {
      checkPush(push);
      const refusal = sender === undefined ? "nobody is told by this agent" : await sender.refusal(push);
      if (refusal !== undefined) throw new InputError(`The push notification's URL is refused: ${refusal}`);
      await store.changePushes(key, (all) => {
        const others = all.filter(({ id }) => id !== push.id);
        if (others.length >= limits.pushes)
          throw new InputError(`A task tells ${limits.pushes} receivers at most: delete one first.`, { status: 429 });
        return [...others, { ...push, sent, failures: 0, nextAt: 0 }];
      });
    }

    const reads = createTaskReads({ agent: name, store, bell, clock, view: shown });
    const tasks: Hosted = {
      profile: agent.profile,
      ...reads,
      async spawn({ id, caller }, told) {
        checkTold(told, limits);
        const task = await begin(caller, told, undefined, id);
        if (!isSettled(task)) wake(keyOf(caller, task.id), agent);
        return shown(task);
      },
      erase: createErasing({
        agent: name,
        store,
        blobs: runtime.blobs,
        clock,
        cancel: (caller, id) => tasks.cancel(caller, id),
        isRunning: pursuits.isRunning,
        instance,
        shared,
        disarm,
        erased: options.erased,
      }),
      async send(caller, told, push) {
        checkTold(told, limits);
        const task = await (told.task === undefined ? begin(caller, told, push) : goOn(caller, told.task, told, push));
        if (!isSettled(task)) wake(keyOf(caller, task.id), agent);
        return shown(task);
      },
      async cancel(caller, id) {
        const key = keyOf(caller, id);
        const known = await store.find(key);
        if (known === undefined) return undefined;
        if (!isEnded(known)) await elsewhere?.cancel(shown(known));
        // What it asked of others is to be ended, whatever becomes of this process.
        if (!isEnded(known) && hasOthers(known)) await arm(key, clock.now() + watchMs);
        const written = await store.change(key, (task) => {
          if (isEnded(task)) throw new InputError(`The task is ${task.state} already.`, { status: 409 });
          const { runner: _runner, dueAt: _due, said: _said, ...rest_ } = task;
          return { ...seen(rest_, clock), state: "canceled" };
        });
        if (written === undefined) return undefined;
        pursuits.abort(key, "canceled");
        if (shared && known.runner !== undefined) await poke(records, key, instance);
        changed(key, written);
        wake(key, agent);
        return shown(written);
      },
      async addPush(caller, id, push) {
        const key = keyOf(caller, id);
        const task = await store.find(key);
        if (task === undefined) return undefined;
        await putPush(key, push, isEnded(task) ? task.version - 1 : task.version);
        if (!task.pushed) await store.change(key, (now) => ({ ...now, pushed: true }));
        wake(key, agent);
        return push;
      },
      async removePush(caller, id, push) {
        const key = keyOf(caller, id);
        if ((await store.find(key)) === undefined) return false;
        await store.changePushes(key, (all) => all.filter((one) => one.id !== push));
        return true;
      },
      async settle(caller, id, change) {
        const key = keyOf(caller, id);
        let known: StoredTask | undefined;
        const written = await store.change(key, (task) => {
          known = task;
          const to = isEnded(task) ? undefined : change(shown(task));
          if (to === undefined) return undefined;
          const { dueAt, said: _said, runner, ...rest_ } = seen({ ...task, attempts: 0 }, clock);
          // Its run may not have ended yet: what it comes to counts no more where the caller's turn has come.
          const goesOn = { ...(dueAt !== undefined && { dueAt }), ...(runner !== undefined && { runner }) };
          return { ...rest_, ...to, ...(isSettled(to) ? {} : goesOn) };
        });
        if (written !== undefined) {
          changed(key, written);
          wake(key, agent);
        }
        return known && shown(written ?? known);
      },
      progress: (caller, id, text) => bell.ring(keyOf(caller, id), text.slice(0, mostProgress)),
    };
    hosted.set(name, tasks);
    return tasks;
  }

  return {
    add,
    async run(job, data) {
      if (!job.startsWith(taskJob)) return false;
      const { key } = data as { key: string };
      if (pursuits.draining) {
        await arm(key, clock.now() + leftMs);
        return true;
      }
      const agent = agents.get(decodeURIComponent(key.slice(0, key.indexOf(":"))));
      if (agent === undefined) {
        log.warn({ job }, "a task's agent is not here any more: it is not worked on");
        return true;
      }
      // This job is not over before, so that whatever becomes of this process the task is looked at again.
      const armed = shared ? undefined : arm(key, clock.now() + watchMs);
      // Its run may take long: who was not reached meanwhile is told again. What begins now tells where it rests.
      if (pursuits.has(key)) pushes.deliver(key).catch(() => undefined);
      wake(key, agent);
      await (armed ?? taskJobs.hold(key, pursuits.resting(key)));
      return true;
    },
    drain: pursuits.drain,
  };
}
