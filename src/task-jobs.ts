/**
 * The jobs of tasks, one for each that is open. A job that is due is held until its task rests: where that needs no other one it is
 * over with it, which costs neither a job that watches nor its end. Whatever becomes of the process meanwhile, it comes again.
 */
import type { Clock, Jobs } from "./ports.ts";

export interface TaskJobs {
  /** Instead of the one that there is. */
  arm(key: string, dueAt: number): Promise<void>;
  disarm(key: string): Promise<void>;
  /**
   * It is due. Resolves when it may be over.
   * @param resting settles when this process is at its task no more.
   */
  hold(key: string, resting: Promise<void>): Promise<void>;
}

export interface TaskJobsOptions {
  readonly jobs: Pick<Jobs, "schedule" | "cancel">;
  readonly clock: Clock;
  /** When a task that still runs is looked at again. */
  readonly watchMs: number;
  /** What takes longer is watched by another job. */
  readonly heldMs: number;
}

interface Held {
  /** Nothing is to come. */
  over: boolean;
  armed: boolean;
  arming: Promise<unknown>;
  done: Promise<void>;
}

export const taskJob = "task:";

export function createTaskJobs({ jobs, clock, watchMs, heldMs }: TaskJobsOptions): TaskJobs {
  const due = new Map<string, Held>();

  async function arm(key: string, dueAt: number): Promise<void> {
    const held = due.get(key);
    const arming = jobs.schedule(`${taskJob}${key}`, { dueAt }, { key });
    if (held !== undefined) held.arming = arming.catch(() => undefined);
    await arming;
    if (held !== undefined) held.armed = true;
  }

  async function rested(key: string, held: Held, resting: Promise<void>): Promise<void> {
    const soon = Promise.withResolvers<void>();
    const cancel = clock.after(heldMs, soon.resolve);
    await Promise.race([resting, soon.promise]);
    cancel();
    await held.arming;
    due.delete(key);
    if (!held.over && !held.armed) await arm(key, clock.now() + watchMs);
  }

  return {
    arm,
    async disarm(key) {
      const held = due.get(key);
      if (held === undefined || held.armed) await jobs.cancel(`${taskJob}${key}`);
      else held.over = true;
    },
    hold(key, resting) {
      const known = due.get(key);
      if (known !== undefined) return known.done;
      const held: Held = { over: false, armed: false, arming: Promise.resolve(), done: Promise.resolve() };
      due.set(key, held);
      held.done = rested(key, held, resting);
      return held.done;
    },
  };
}
