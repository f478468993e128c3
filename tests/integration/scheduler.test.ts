/** The scheduler's tasks on the real host and the embedded runtime: in time, and through crashes and downtime. */
import { randomUUID } from "node:crypto";
import { rm } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import { openEmbedded } from "../../adapters/embedded/index.ts";
import { createScheduler } from "../../agents/skills/scheduler/index.ts";
import { schedulerSettings } from "../../agents/skills/scheduler/settings.ts";
import type { Clock } from "../../src/ports.ts";
import type { SkilledAgent, TaskCaller, TaskPart } from "../../src/skilled.ts";
import { createTaskHost, type HostedTasks, type TaskHost } from "../../src/task-host.ts";
import { isSettled, type Task } from "../../src/tasks.ts";
import { clock as realClock, newDirectory, quietLog } from "./embedded-fixture.ts";

const ann: TaskCaller = { tenant: "t", id: "ann" };
const open: { stop(): Promise<void> }[] = [];
const directories: string[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.stop();
  for (const directory of directories.splice(0)) await rm(directory, { recursive: true });
});

const wordsOf = (parts: readonly TaskPart[]) => parts.flatMap((part) => (part.kind === "text" ? [part.text] : []));
const toldBy = (task: Task | undefined) => task?.artifacts.flatMap(({ parts }) => wordsOf(parts)) ?? [];
const saidBy = (task: Task | undefined) => wordsOf(task?.said?.parts ?? []).join("\n");

/** @param aheadMs of the real time: as if the process had been down for so long. */
async function start(directory: string, aheadMs = 0, wrap: (agent: SkilledAgent) => SkilledAgent = (agent) => agent) {
  const clock: Clock = { ...realClock, now: () => realClock.now() + aheadMs };
  const provider = { getModel: () => Promise.reject(new Error("the demo needs no model")) };
  const models = { provider, clock, log: quietLog };
  const agent = wrap(
    createScheduler({ ...schedulerSettings.parse({ timeZone: "Europe/Berlin" }), model: "demo" }, { models, clock }),
  );
  const runtime = await openEmbedded({ directory, clock, log: quietLog });
  const host: TaskHost = createTaskHost({ runtime, clock, log: quietLog, instance: randomUUID(), watchMs: 500 });
  const tasks: HostedTasks = host.add(agent);
  runtime.jobs.handle(async (job, data) => void (await host.run(job, data)));
  await runtime.start();
  let stopped: Promise<void> | undefined;
  const stop = () => (stopped ??= host.drain(0).then(() => runtime.stop(0)));
  open.push({ stop });

  async function until(id: string, fits: (task: Task) => boolean): Promise<Task> {
    for (let waited = 0; waited < 20_000; waited += 20) {
      const task = await tasks.get(ann, id);
      if (task !== undefined && fits(task)) return task;
      await sleep(20);
    }
    throw new Error("the task did not come to that");
  }
  return {
    tasks,
    stop,
    until,
    /** Resolves when it was heard. */
    async say(text: string, task?: string): Promise<Task> {
      const told = {
        id: randomUUID(),
        parts: [{ kind: "text" as const, text }],
        ...(task === undefined ? {} : { task }),
      };
      const { id, version } = await tasks.send(ann, told);
      return until(
        id,
        (now) => isSettled(now) || (now.dueAt !== undefined && now.version > version && now.said !== undefined),
      );
    },
  };
}

function directoryOf(): string {
  const directory = newDirectory();
  directories.push(directory);
  return directory;
}

test("a reminder comes within two seconds of its time, and its task ends with it", async () => {
  const { say, until } = await start(directoryOf());
  const { id, dueAt = 0 } = await say("remind me in 2 seconds to drink tea");
  const task = await until(id, isSettled);
  expect(toldBy(task)).toEqual(["Reminder: drink tea"]);
  expect(task.state).toBe("completed");
  expect(Math.abs(Date.now() - dueAt)).toBeLessThan(2_000);
});

test("reminders are listed, moved and cancelled by words, and what is gone never comes", async () => {
  const { say, until, tasks } = await start(directoryOf());
  const tea = await say("remind me in 3 seconds to drink tea");
  const eggs = await say("remind me in 3 seconds to look at the eggs");
  expect(saidBy(tea)).toContain("drink tea");
  expect(toldBy(await say("list my reminders")).join()).toMatch(/1\. .*\n2\. /);
  expect(toldBy(await say("cancel the tea reminder"))).toEqual(["Cancelled: drink tea"]);
  const moved = await say("move the eggs reminder to 23:59");
  expect(await tasks.get(ann, tea.id)).toMatchObject({ state: "completed", artifacts: [] });
  expect(await tasks.get(ann, eggs.id)).toMatchObject({ state: "completed", artifacts: [] });
  await sleep(3_500);
  for (const { id } of [tea, eggs]) expect(toldBy(await tasks.get(ann, id))).toEqual([]);
  expect(toldBy(await say("list my reminders")).join()).toContain("look at the eggs");
  // Who cancels the task has cancelled the reminder.
  await tasks.cancel(ann, moved.id);
  expect(toldBy(await say("list my reminders"))).toEqual(["You have no reminders."]);
  await until(moved.id, ({ state }) => state === "canceled");
});

test("a question waits for its answer, over a restart", async () => {
  const directory = directoryOf();
  const first = await start(directory);
  const asked = await first.say("remind me tomorrow to call Bob");
  expect([asked.state, saidBy(asked)]).toEqual(["input-required", expect.stringContaining("At what time?")]);
  await first.stop();
  const next = await start(directory);
  const set = await next.say("9:00", asked.id);
  expect(saidBy(set)).toMatch(/^I will remind you .* at 09:00 \(Europe\/Berlin\): call Bob$/);
});

test("a crash between a reminder's coming and its telling tells it once, and the next one comes", async () => {
  const directory = directoryOf();
  const { promise: reached, resolve: reach } = Promise.withResolvers<void>();
  const never = new Promise<never>(() => {});
  const first = await start(directory);
  const { id } = await first.say("remind me every minute to blink");
  await first.stop();
  // A minute later, so that nobody waits for it here.
  const second = await start(directory, 60_000, (agent) => ({
    ...agent,
    execute: (run, hooks) =>
      agent.execute(run, {
        ...hooks,
        async artifact(name, parts) {
          await hooks.artifact(name, parts);
          reach();
          await never;
        },
      }),
  }));
  await reached;
  await second.stop();
  const third = await start(directory, 61_000);
  const task = await third.until(id, ({ dueAt }) => (dueAt ?? 0) > realClock.now() + 61_000);
  expect(toldBy(task)).toEqual(["Reminder: blink"]);
  await third.stop();
  const fourth = await start(directory, 121_000);
  await fourth.until(id, (now) => toldBy(now).length === 2);
});

test("after downtime what is late says so, and what repeats is told once", async () => {
  const directory = directoryOf();
  const first = await start(directory);
  const once = await first.say("remind me in 10 minutes to drink tea");
  const again = await first.say("remind me every hour to stand up");
  await first.stop();
  const next = await start(directory, 5.5 * 3_600_000);
  const late = await next.until(once.id, isSettled);
  expect(toldBy(late).join()).toMatch(/^Reminder: drink tea\nIt comes late: it was due 5 hours ago, /);
  const repeated = await next.until(again.id, ({ artifacts }) => artifacts.length > 0);
  expect(toldBy(repeated).join()).toMatch(
    /^Reminder: stand up\nIt comes late: it was due (4|5) hours ago, [^]*\n4 more times passed meanwhile\.$/,
  );
  await next.until(again.id, ({ dueAt }) => (dueAt ?? 0) > Date.now() + 5.5 * 3_600_000);
});
