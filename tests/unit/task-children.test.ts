/** The process dies at every single write of a task with children, before it or after it; the next one has what was written, and its jobs. */
import { expect, it } from "vitest";
import type { Jobs, Records } from "../../src/ports.ts";
import type { TaskCaller } from "../../src/skilled.ts";
import { createTaskHost, type HostedTasks } from "../../src/task-host.ts";
import { isEnded, isSettled, task as taskShape, type Task } from "../../src/tasks.ts";
import { agentOf, textOf, type Execute } from "../services/a2a.ts";
import { memoryBlobs, memoryRecords, quiet, testClock } from "./client-agent.fixture.ts";

const ann: TaskCaller = { tenant: "t", id: "ann" };
const text = (words: string) => [{ kind: "text" as const, text: words }];
const never = new Promise<never>(() => {});
const clock = testClock({ speed: 20 });
const words = ["quick", "slow"];

interface Death {
  /** Which write it is at. */
  readonly at: number;
  readonly after: boolean;
}

const asked = ({ messages }: Task): string => textOf({ messages });

function world(death: Death) {
  const rows = memoryRecords();
  const jobs = new Map<string, { readonly dueAt: number; readonly data: unknown }>();
  /** Children that were done, as what is kept says, when the process died. */
  let doneAtDeath: readonly string[] | undefined;
  let isOver = false;
  let writes = 0;
  const all = () =>
    [...rows.rows].filter(([key]) => key.startsWith("task:")).map(([, { value }]) => taskShape.parse(value) as Task);
  function die(): Promise<never> {
    isOver = true;
    doneAtDeath = all().flatMap((one) => (one.state === "completed" && words.includes(asked(one)) ? [asked(one)] : []));
    return never;
  }

  const mortal: Records = {
    get: async (key) => (isOver ? never : rows.get(key)),
    remove: async (key) => (isOver ? never : rows.remove(key)),
    async put(key, value, options) {
      if (isOver) return never;
      writes += 1;
      const dies = writes === death.at;
      if (dies && !death.after) return die();
      const etag = await rows.put(key, value, options);
      return dies ? die() : etag;
    },
  };
  const port = (of: () => boolean): Jobs => ({
    schedule: async (name, when, data) => {
      if (of()) return never;
      jobs.set(name, { dueAt: "dueAt" in when ? when.dueAt : clock.now() + when.everyMs, data });
    },
    cancel: async (name) => (of() ? never : void jobs.delete(name)),
    handle: () => undefined,
  });

  function open(records: Records, dead: () => boolean, execute: Execute, name: string) {
    const runtime = { records, jobs: port(dead), actors: { exclusive: true }, blobs: memoryBlobs() };
    const host = createTaskHost({ runtime, clock, log: quiet, instance: name, watchMs: 200 });
    return { host, tasks: host.add(agentOf(execute)) };
  }

  return {
    all,
    get doneAtDeath() {
      return doneAtDeath;
    },
    first: (execute: Execute) => open(mortal, () => isOver, execute, "first"),
    second: (execute: Execute) => open(rows, () => false, execute, "second"),
    /** What is due runs in this process, until that holds. */
    async until(host: ReturnType<typeof createTaskHost>, holds: () => boolean | Promise<boolean>): Promise<void> {
      for (let n = 0; n < 2_000; n++) {
        if (await holds()) return;
        for (const [name, { dueAt, data }] of Array.from(jobs)) {
          if (dueAt > clock.now()) continue;
          jobs.delete(name);
          await host.run(name, data);
        }
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
      throw new Error(`not in its time: ${JSON.stringify(all().map((one) => [asked(one), one.state]))}`);
    },
    dead: () => isOver,
  };
}

/** @param works what children have done, in their order. */
const parent =
  (works: string[], slowMs: number): Execute =>
  async (run, hooks) => {
    if (run.isChild) {
      await hooks.save("begun");
      works.push(textOf(run));
      if (textOf(run) === "slow") await new Promise<void>((resolve) => void clock.after(slowMs, resolve));
      hooks.signal.throwIfAborted();
      return { kind: "completed", parts: text(`${textOf(run)}!`) };
    }
    const ends = await Promise.all(words.map((word) => hooks.child(word, { parts: text(word), forMs: 600_000 })));
    return { kind: "completed", parts: text(JSON.stringify(ends)) };
  };

const told = { id: "m", parts: text("both") };
const deaths = Array.from({ length: 60 }, (_, at) => at + 1).flatMap((at) => [
  { at, after: false },
  { at, after: true },
]);

it("has all of its parts, of which none that was done is done again", { timeout: 120_000 }, async () => {
  let died = 0;
  for (const death of deaths) {
    const on = world(death);
    const before: string[] = [];
    const { host, tasks } = on.first(parent(before, 40));
    void tasks.send(ann, told).catch(() => undefined);
    const isDone = async (of: HostedTasks) => (await of.list(ann, { limit: 1 })).tasks.some(isSettled);
    await on.until(host, async () => on.dead() || isDone(tasks));
    if (!on.dead()) continue;
    died += 1;
    const after: string[] = [];
    const next = on.second(parent(after, 40));
    // Its caller, who had no answer, says it again.
    const { id } = await next.tasks.send(ann, told);
    await on.until(next.host, () => isDone(next.tasks));
    const made = JSON.stringify((await next.tasks.get(ann, id))?.artifacts);
    expect(`${death.at} ${made.includes("quick!")} ${made.includes("slow!")}`).toBe(`${death.at} true true`);
    expect([death, after.filter((word) => on.doneAtDeath?.includes(word))]).toEqual([death, []]);
    expect(on.all()).toHaveLength(3);
    await next.host.drain(0);
  }
  expect(died).toBeGreaterThan(15);
});

it("that is cancelled leaves no part that goes on", { timeout: 120_000 }, async () => {
  let died = 0;
  for (const death of deaths) {
    const on = world(death);
    const { host, tasks } = on.first(parent([], 60_000));
    void tasks.send(ann, told).catch(() => undefined);
    const isBegun = () => on.all().some((one) => asked(one) === "slow" && one.state === "working");
    await on.until(host, () => on.dead() || isBegun());
    const [whole] = on.all().filter((one) => asked(one) === "both");
    if (!on.dead() && whole !== undefined) void tasks.cancel(ann, whole.id).catch(() => undefined);
    await on.until(host, () => on.dead() || on.all().every(isEnded));
    if (!on.dead()) continue;
    died += 1;
    const next = on.second(parent([], 60_000));
    // Whoever cancelled and heard nothing does so again, where it is not done.
    const { id, state } = await next.tasks.send(ann, told);
    if (state !== "canceled") await next.tasks.cancel(ann, id);
    await on.until(next.host, () => on.all().every(isEnded));
    await next.host.drain(0);
  }
  expect(died).toBeGreaterThan(15);
});

it("that is cancelled elsewhere while a part begins has that end, though who began it died then", async () => {
  const rows = memoryRecords();
  const jobs = new Map<string, unknown>();
  const port: Jobs = {
    schedule: async (name, _when, data) => void jobs.set(name, data),
    cancel: async (name) => void jobs.delete(name),
    handle: () => undefined,
  };
  const open = (records: Records, instance: string) => {
    const runtime = { records, jobs: port, actors: { exclusive: false }, blobs: memoryBlobs() };
    const host = createTaskHost({ runtime, clock, log: quiet, instance });
    return { host, tasks: host.add(agentOf(parent([], 60_000))) };
  };
  const { host, tasks: there } = open(rows, "there");
  let isOver = false;
  const dying: Records = {
    get: async (key) => (isOver ? never : rows.get(key)),
    remove: async (key) => (isOver ? never : rows.remove(key)),
    async put(key, value, options) {
      const isChild = key.startsWith("task:") && (value as { parent?: string }).parent !== undefined;
      if (isOver) return never;
      if (!isChild) return rows.put(key, value, options);
      isOver = true;
      const [whole] = (await there.list(ann, { limit: 1 })).tasks;
      await there.cancel(ann, whole?.id ?? "");
      // By then the other one has looked for its children.
      await new Promise((resolve) => setTimeout(resolve, 200));
      await rows.put(key, value, options);
      return never;
    },
  };
  const { tasks: here } = open(dying, "here");
  void here.send(ann, told);
  const states = () =>
    [...rows.rows].flatMap(([key, { value }]) => (key.startsWith("task:") ? [(value as Task).state] : []));
  await expect.poll(states, { timeout: 10_000 }).toEqual(["canceled", "submitted"]);
  for (const [name, data] of Array.from(jobs)) await host.run(name, data);
  await expect.poll(states, { timeout: 10_000 }).toEqual(["canceled", "canceled"]);
}, 30_000);
