/** One run of one task: claimed already, executed here, and its outcome written once. */
import { untilAborted } from "./abort.ts";
import { ConflictError, fateOf, InfrastructureError, InputError, reasonOf } from "./errors.ts";
import type { Clock, Log, Records } from "./ports.ts";
import type { SkilledAgent, TaskHooks, TaskOutcome, TaskPart } from "./skilled.ts";
import type { Bell } from "./task-bell.ts";
import { besideTask } from "./task-beside.ts";
import { spawning, type ChildrenParts } from "./task-children.ts";
import { beatRecord, bytesOf, digest, type StoredTask, type TaskLimits, type TaskStore } from "./task-store.ts";
import { isSettled, resultId } from "./tasks.ts";

/** The run is cancelled, superseded or left to another process: its outcome counts no more. */
export class RunOver extends Error {
  override readonly name = "RunOver";
}

export const mostAttempts = 5;
const backoffMs = (failures: number) => Math.min(1_000 * 4 ** Math.max(failures - 1, 0), 60_000);
const uncountedMs = 5_000;
const savedBytes = 64 * 1024;
/** A run that does not heed its signal is waited for so long before the next one begins. */
const stubbornMs = 5_000;

export interface RunParts extends ChildrenParts {
  readonly store: TaskStore;
  readonly records: Records;
  readonly clock: Clock;
  readonly log: Log;
  readonly bell: Bell;
  readonly limits: TaskLimits;
  readonly runMs: number;
  /** Another process may take the task over when this one falls silent. */
  readonly shared: boolean;
  /** A change that callers see was written. */
  readonly changed: (key: string, task: StoredTask) => void;
  /** Another task comes to its end, with what it has. */
  readonly complete: (task: Pick<StoredTask, "agent" | "caller" | "id">) => Promise<void>;
  /** Its job, no later than the write. */
  readonly arm: (key: string, dueAt: number) => Promise<void>;
}

export const beatMs = 4_000;
/** What is over sooner gives no sign of life. */
const firstBeatMs = 1_000;
const unheardMs = 10_000;
/** Longer than a runner is silent before it gives up. */
export const silentMs = 12_000;
const beatKeptMs = 24 * 3_600_000;

/** Has the runner look at its task, wherever it is. */
export async function poke(records: Records, key: string, by: string): Promise<void> {
  await records.put(beatRecord(key), { poked: by }, { ttlMs: beatKeptMs });
}

/** Whether the runner of a task shows a sign of life while this watches. */
export async function showsLife(records: Records, clock: Clock, key: string): Promise<boolean> {
  const before = await records.get(beatRecord(key));
  await new Promise<void>((resolve) => void clock.after(silentMs, resolve));
  return (await records.get(beatRecord(key)))?.etag !== before?.etag;
}

/**
 * @param claimed as it was written when this run began. Resolves when nothing of it is left but what does not heed `abort`.
 * @returns the task as it was left; undefined where the run was over before its outcome.
 */
export async function runTask(
  parts: RunParts,
  agent: SkilledAgent,
  key: string,
  claimed: StoredTask,
  abort: AbortController,
): Promise<StoredTask | undefined> {
  const { store, clock, log, bell, limits, changed } = parts;
  const { signal } = abort;
  const isMine = (task: StoredTask) => task.runs === claimed.runs && task.runner === claimed.runner && !isSettled(task);
  const isCurrent = (task: StoredTask) => isMine(task) && task.seen.length === claimed.seen.length;

  /** @throws RunOver where the task is not this run's any more. */
  async function write(next: (task: StoredTask) => StoredTask | undefined): Promise<void> {
    signal.throwIfAborted();
    let over = true;
    const written = await store.change(key, (task) => {
      over = !isCurrent(task);
      return over ? undefined : next(task);
    });
    if (over) {
      const reason = new RunOver("superseded");
      abort.abort(reason);
      throw reason;
    }
    if (written !== undefined) changed(key, written);
  }

  const checked = (what: string, value: unknown, most: number) => {
    if (bytesOf(value) > most) throw new InputError(`${what} has at most ${most} bytes.`, { status: 413 });
  };

  const hooks: TaskHooks = {
    ...besideTask(store, claimed, parts.complete),
    child: spawning(parts, claimed, signal, write),
    signal,
    progress: (text: string) => {
      if (!signal.aborted) bell.ring(key, text.slice(0, 200));
    },
    async save(state: unknown) {
      checked("The state of a task", state, savedBytes);
      await write((task) => ({ ...task, saved: state ?? null }));
    },
    async artifact(id: string, made: readonly TaskPart[]) {
      checked("An artifact", made, limits.artifactBytes);
      await write((task) => {
        if (task.artifacts.some((one) => one.id === id)) return undefined;
        return seen({ ...task, artifacts: [...task.artifacts, { id, parts: [...made] }] }, clock);
      });
    },
  };

  async function outcomeOf(): Promise<(task: StoredTask) => StoredTask> {
    const { id, caller, context, messages, saved, because, locale, timeZone, chain, parent } = claimed;
    const own = { ...(chain !== undefined && { chain }), ...(parent !== undefined && { isChild: true as const }) };
    const run = { task: id, caller, context, messages, state: saved, because, locale, timeZone, ...own };
    const work = agent.execute(run, hooks);
    try {
      const outcome = await untilAborted(work, signal);
      if ("state" in outcome) checked("The state of a task", outcome.state, savedBytes);
      if (outcome.kind === "completed") checked("A task's result", outcome.parts, limits.artifactBytes);
      return (task) => withOutcome(task, outcome, clock);
    } catch (error) {
      if (error instanceof RunOver) {
        await Promise.race([work.catch(() => undefined), pause(clock, stubbornMs)]);
        throw error;
      }
      log.warn({ task: id, agent: agent.profile.name, reason: reasonOf(error) }, "a run of a task failed");
      return (task) => withFailure(task, error, clock);
    }
  }

  const stopTimer = clock.after(parts.runMs, () => abort.abort(new Error("the run of a task took too long")));
  const stopsRunning = bell.running(key);
  const stopBeats = parts.shared ? beats(parts, key, isCurrent, abort) : () => {};
  try {
    const next = await outcomeOf();
    stopTimer();
    return await commit(parts, key, next, isCurrent, claimed);
  } catch (error) {
    if (!(error instanceof RunOver)) throw error;
    // What is not run here any more can be run at once, by whoever looks.
    const left = await store.change(key, (task) => (isMine(task) ? released(task) : undefined));
    if (left !== undefined) await parts.arm(key, clock.now());
    return undefined;
  } finally {
    stopTimer();
    stopBeats();
    stopsRunning();
  }
}

/** Nobody runs it; what was said meanwhile is what it is about. */
function released({ runner: _runner, ...task }: StoredTask): StoredTask {
  return { ...task, because: task.because === "said" ? "said" : "died" };
}

/** Until it is written or not this run's any more: the work is done, and is not done again for a store that is away. */
async function commit(
  { store, clock, log, changed, arm }: RunParts,
  key: string,
  next: (task: StoredTask) => StoredTask,
  isCurrent: (task: StoredTask) => boolean,
  claimed: StoredTask,
): Promise<StoredTask> {
  for (let tries = 1; ; tries++) {
    try {
      const { dueAt } = next(claimed);
      if (dueAt !== undefined) await arm(key, dueAt);
      const written = await store.change(key, (task) => (isCurrent(task) ? next(task) : undefined));
      if (written === undefined) throw new RunOver("superseded");
      changed(key, written);
      return written;
    } catch (error) {
      if (error instanceof InputError) {
        const refused = error;
        next = (task) => withFailure(task, refused, clock);
      } else if (!(error instanceof InfrastructureError)) throw error;
      else log.warn({ task: claimed.id, reason: reasonOf(error) }, "the outcome of a task cannot be written now");
      await pause(clock, Math.min(250 * 2 ** tries, 5_000));
    }
  }
}

/** Says every {@link beatMs} that the runner lives, and looks at the task at first, and where another wrote there. */
function beats(
  { records, clock, log, store }: RunParts,
  key: string,
  isCurrent: (task: StoredTask) => boolean,
  abort: AbortController,
): () => void {
  let cancel = () => {};
  let over = false;
  let etag: string | undefined;
  let heardAt = clock.monotonic();

  async function look(): Promise<void> {
    const task = await store.find(key).catch(() => undefined);
    if (task !== undefined && !isCurrent(task)) abort.abort(new RunOver("superseded"));
  }

  async function beat(): Promise<void> {
    const at = clock.monotonic();
    try {
      const first = etag === undefined;
      etag = await records.put(beatRecord(key), { at }, { ttlMs: beatKeptMs, ...(etag !== undefined && { etag }) });
      heardAt = at;
      if (first) await look();
    } catch (error) {
      if (error instanceof ConflictError) {
        etag = undefined;
        return beat();
      }
      log.debug({ reason: reasonOf(error) }, "a sign of life of a task's runner was not heard");
    }
    if (clock.monotonic() - heardAt >= unheardMs) abort.abort(new RunOver("unheard"));
  }
  function next(afterMs: number): void {
    if (over) return;
    cancel = clock.after(
      afterMs,
      () =>
        void beat()
          .catch(() => undefined)
          .finally(() => next(beatMs)),
    );
  }
  next(firstBeatMs);
  return () => {
    over = true;
    cancel();
  };
}

const pause = (clock: Clock, ms: number) => new Promise<void>((resolve) => void clock.after(ms, resolve));

/** A change that callers see. */
export function seen(task: StoredTask, clock: Clock): StoredTask {
  return { ...task, version: task.version + 1, changedAt: clock.now() };
}

/** The agent's words, among the messages and as what it says of its state. */
function says(task: StoredTask, text: string): StoredTask {
  const id = digest("said", task.id, String(task.version));
  const said = { id, role: "agent" as const, parts: [{ kind: "text" as const, text }] };
  return { ...task, said, messages: [...task.messages, said] };
}

function withOutcome(before: StoredTask, outcome: TaskOutcome, clock: Clock): StoredTask {
  const { runner: _runner, dueAt: _due, said, ...rest } = before;
  const task: StoredTask = seen({ ...rest, attempts: 0 }, clock);
  const saved = "state" in outcome && outcome.state !== undefined ? { saved: outcome.state } : {};
  switch (outcome.kind) {
    case "completed": {
      const artifacts = task.artifacts.filter(({ id }) => id !== resultId);
      const result = { id: resultId, parts: [...outcome.parts] };
      return {
        ...task,
        state: "completed",
        artifacts: outcome.parts.length === 0 ? artifacts : [...artifacts, result],
      };
    }
    case "input-required":
      return { ...says(task, outcome.question), ...saved, state: "input-required" };
    case "waiting": {
      // Without words of its own what was said meanwhile, or before, stands.
      const waits =
        outcome.said === undefined ? { ...task, ...(said !== undefined && { said }) } : says(task, outcome.said);
      return { ...waits, ...saved, state: "working", because: "due", dueAt: outcome.until };
    }
    case "failed":
    case "rejected":
      return { ...says(task, outcome.reason), state: outcome.kind };
    default:
      return outcome satisfies never;
  }
}

/** The words of an InputError are for the caller; of anything else nothing is said but that it failed. */
function withFailure(before: StoredTask, error: unknown, clock: Clock): StoredTask {
  const { runner: _runner, ...task } = before;
  const fate = fateOf(error);
  const attempts = task.attempts + (fate.kind === "terminal" || fate.counts ? 1 : 0);
  if (fate.kind === "terminal" || attempts >= mostAttempts) return failed({ ...task, attempts }, error, clock);
  const waitMs = fate.afterMs ?? (fate.counts ? backoffMs(attempts) : uncountedMs);
  return { ...task, attempts, dueAt: clock.now() + waitMs };
}

export function failed(task: StoredTask, error: unknown, clock: Clock): StoredTask {
  const words = error instanceof InputError ? error.message : "The agent could not do this; its log has the cause.";
  const { runner: _runner, dueAt: _due, ...rest } = task;
  return { ...says(seen(rest, clock), words), state: "failed" };
}
