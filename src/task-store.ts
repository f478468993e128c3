/**
 * Tasks as records: each under its agent, its caller and its id, so that who does not know the caller finds nothing; beside it
 * who is told of it, and one record per caller that names that caller's tasks. All of them are bounded.
 */
import { createHash } from "node:crypto";
import { z } from "zod";
import { ConflictError, InputError } from "./errors.ts";
import { encodePart } from "./ids.ts";
import type { Clock, Records } from "./ports.ts";
import { createRecent } from "./recent.ts";
import type { TaskCaller } from "./skilled.ts";
import { isEnded, task, taskPush, type Task } from "./tasks.ts";

const stored = task.extend({
  v: z.literal(1),
  /** What the agent left for its next run. */
  saved: z.unknown(),
  /** Digests of the ids of the caller's messages. */
  seen: z.array(z.string()),
  /** Rises with every run; who runs it now, where anybody does. */
  runs: z.number(),
  runner: z.string().optional(),
  because: z.enum(["said", "due", "died"]),
  /** Runs that failed since something was said or waited for. */
  attempts: z.number(),
  locale: z.string().optional(),
  timeZone: z.string().optional(),
  chain: z.array(z.string()).optional(),
  /** Somebody is told: there is a record of it. */
  pushed: z.boolean(),
  /** Tasks for parts of it, and of which one it is a part. */
  children: z.array(z.string()).optional(),
  parent: z.string().optional(),
});
export type StoredTask = z.infer<typeof stored>;

const storedPush = taskPush.extend({
  /** The version that it was told of last, or given up at. */
  sent: z.number(),
  failures: z.number(),
  nextAt: z.number(),
});
export type StoredPush = z.infer<typeof storedPush>;
const storedPushes = z.object({ v: z.literal(1), all: z.array(storedPush) });

const index = z.object({ v: z.literal(1), ids: z.array(z.string()) });

export interface TaskLimits {
  /** Of one caller with one agent; the oldest that have ended make room. */
  readonly tasks: number;
  /** Bytes of JSON: of one message, of one artifact, and of all that is kept of a task. */
  readonly messageBytes: number;
  readonly artifactBytes: number;
  readonly taskBytes: number;
  /** Those of one task, the agent's own included. */
  readonly messages: number;
  readonly pushes: number;
  /** Tasks for parts of one task. */
  readonly children: number;
  /** Days after which what has ended is forgotten. */
  readonly endedDays: number;
}

export const defaultTaskLimits: TaskLimits = {
  tasks: 250,
  messageBytes: 256 * 1024,
  artifactBytes: 512 * 1024,
  taskBytes: 1024 * 1024,
  messages: 200,
  pushes: 5,
  children: 16,
  endedDays: 7,
};

const dayMs = 24 * 3_600_000;
/** Of what waits for its caller, or for a run that nobody began. */
const openDays = 30;
/** Read longer ago a task may have been removed meanwhile, which not every store tells a guarded write. */
const momentMs = 100;

export const digest = (...parts: readonly string[]): string =>
  createHash("sha256").update(JSON.stringify(parts)).digest("base64url").slice(0, 24);

const callerPart = (agent: string, { tenant, id }: TaskCaller) => [agent, tenant, id].map(encodePart).join(":");
/** What a task is known by in this process and in its job's name. */
export const taskKey = (agent: string, caller: TaskCaller, id: string) =>
  `${callerPart(agent, caller)}:${encodePart(id)}`;
/** Of the process that runs it. */
export const beatRecord = (key: string) => `task-beat:${key}`;
/** The same message of the same caller makes the same task. */
export const taskIdOf = (agent: string, caller: TaskCaller, message: string) =>
  digest("task", agent, caller.tenant, caller.id, message);

export interface TaskStore {
  find(key: string): Promise<StoredTask | undefined>;
  /** @returns the one that is there already. */
  create(key: string, fresh: StoredTask): Promise<StoredTask>;
  /**
   * @param change gives the whole new task, or undefined where nothing is to be written; again whenever another came first, or
   * may have. It begins with what this process has just read or written.
   * @returns what was written.
   * @throws InputError where it would be larger than the limit.
   */
  change(key: string, change: (task: StoredTask) => StoredTask | undefined): Promise<StoredTask | undefined>;
  /** The newest first. */
  ids(agent: string, caller: TaskCaller): Promise<readonly string[]>;
  /** @throws InputError (429) where the caller has too many that have not ended. */
  enlist(agent: string, caller: TaskCaller, id: string): Promise<void>;
  /** With all that is beside it. */
  remove(key: string): Promise<void>;
  delist(agent: string, caller: TaskCaller, ids: readonly string[]): Promise<void>;
  pushes(key: string): Promise<readonly StoredPush[]>;
  /** @returns what was written. */
  changePushes(
    key: string,
    change: (all: readonly StoredPush[]) => readonly StoredPush[],
  ): Promise<readonly StoredPush[]>;
}

export function createTaskStore(records: Records, clock: Clock, limits: TaskLimits): TaskStore {
  const taskRecord = (key: string) => `task:${key}`;
  const pushRecord = (key: string) => `task-push:${key}`;
  const indexRecord = (agent: string, caller: TaskCaller) => `tasks:${callerPart(agent, caller)}`;

  /** As read or written last here. */
  const latest = createRecent<string, { readonly task: StoredTask; readonly etag: string; readonly at: number }>(
    clock,
    10 * momentMs,
  );

  function keptMs(of: Task): number {
    if (isEnded(of)) return limits.endedDays * dayMs;
    return openDays * dayMs + Math.max(0, (of.dueAt ?? 0) - clock.now());
  }

  async function read(key: string) {
    const found = await records.get(taskRecord(key));
    if (found === undefined) return void latest.delete(key);
    const one = { task: stored.parse(found.value), etag: found.etag, at: clock.monotonic() };
    latest.set(key, one);
    return one;
  }

  async function write(key: string, value: StoredTask, etag: string | null): Promise<void> {
    if (bytesOf(value) > limits.taskBytes)
      throw new InputError(
        `A task holds ${limits.taskBytes} bytes at most: begin another one, with the same context where it goes on.`,
        { status: 413 },
      );
    latest.delete(key);
    const written = await records.put(taskRecord(key), value, { etag, ttlMs: keptMs(value) });
    latest.set(key, { task: value, etag: written, at: clock.monotonic() });
  }

  /** @returns undefined where it has to be read first. */
  async function changeLatest(
    key: string,
    change: (task: StoredTask) => StoredTask | undefined,
  ): Promise<StoredTask | undefined> {
    const before = latest.get(key);
    if (before === undefined || clock.monotonic() - before.at >= momentMs) return undefined;
    try {
      const next = change(before.task);
      if (next !== undefined) await write(key, next, before.etag);
      return next;
    } catch (error) {
      // What it is now may be changed all the same.
      if (error instanceof ConflictError || error instanceof InputError) return undefined;
      throw error;
    }
  }

  /** What is left of the caller's tasks once the oldest ended ones are gone. */
  async function makeRoom(agent: string, caller: TaskCaller, ids: readonly string[]): Promise<readonly string[]> {
    const all = await Promise.all(ids.map(async (id) => ({ id, task: await read(taskKey(agent, caller, id)) })));
    const there = all.filter(({ task: one }) => one !== undefined);
    const spare = there.filter(({ task: one }) => one !== undefined && isEnded(one.task));
    const surplus = there.length - Math.floor(limits.tasks * 0.9);
    const gone = new Set(spare.slice(0, Math.max(surplus, 0)).map(({ id }) => id));
    for (const id of gone) await records.remove(taskRecord(taskKey(agent, caller, id)));
    return there.flatMap(({ id }) => (gone.has(id) ? [] : [id]));
  }

  return {
    find: async (key) => (await read(key))?.task,
    async create(key, fresh) {
      for (;;) {
        const known = await read(key);
        if (known !== undefined) return known.task;
        try {
          await write(key, fresh, null);
          return fresh;
        } catch (error) {
          if (!(error instanceof ConflictError)) throw error;
        }
      }
    },
    async change(key, change) {
      const done = await changeLatest(key, change);
      if (done !== undefined) return done;
      for (;;) {
        const found = await read(key);
        const next = found && change(found.task);
        if (found === undefined || next === undefined) return undefined;
        try {
          await write(key, next, found.etag);
          return next;
        } catch (error) {
          if (!(error instanceof ConflictError)) throw error;
        }
      }
    },
    async ids(agent, caller) {
      const found = await records.get(indexRecord(agent, caller));
      return found === undefined ? [] : index.parse(found.value).ids.toReversed();
    },
    async enlist(agent, caller, id) {
      const key = indexRecord(agent, caller);
      for (;;) {
        const found = await records.get(key);
        const before = found === undefined ? [] : index.parse(found.value).ids;
        if (before.includes(id)) return;
        const ids = before.length < limits.tasks ? before : await makeRoom(agent, caller, before);
        if (ids.length >= limits.tasks)
          throw new InputError(`There are ${ids.length} open tasks of this caller here: finish or cancel some first.`, {
            status: 429,
          });
        try {
          await records.put(key, { v: 1, ids: [...ids, id] }, { etag: found?.etag ?? null });
          return;
        } catch (error) {
          if (!(error instanceof ConflictError)) throw error;
        }
      }
    },
    async remove(key) {
      for (const record of [pushRecord(key), beatRecord(key), taskRecord(key)]) await records.remove(record);
      latest.delete(key);
    },
    async delist(agent, caller, gone) {
      const key = indexRecord(agent, caller);
      for (;;) {
        const found = await records.get(key);
        if (found === undefined) return;
        const ids = index.parse(found.value).ids.filter((id) => !gone.includes(id));
        try {
          const last = ids.length === 0 ? { ttlMs: dayMs } : {};
          return void (await records.put(key, { v: 1, ids }, { etag: found.etag, ...last }));
        } catch (error) {
          if (!(error instanceof ConflictError)) throw error;
        }
      }
    },
    async pushes(key) {
      const found = await records.get(pushRecord(key));
      return found === undefined ? [] : storedPushes.parse(found.value).all;
    },
    async changePushes(key, change) {
      for (;;) {
        const found = await records.get(pushRecord(key));
        const all = change(found === undefined ? [] : storedPushes.parse(found.value).all);
        if (found === undefined && all.length === 0) return all;
        try {
          await records.put(
            pushRecord(key),
            { v: 1, all },
            { etag: found?.etag ?? null, ttlMs: (openDays + 366) * dayMs },
          );
          return all;
        } catch (error) {
          if (!(error instanceof ConflictError)) throw error;
        }
      }
    },
  };
}

export const bytesOf = (value: unknown): number => Buffer.byteLength(JSON.stringify(value) ?? "");
