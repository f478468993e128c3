/**
 * Reminders of people whose clocks change, told by the real host on both runtimes. The wall clock is set ahead, again and again, to
 * just before something is due, and jobs that wait come as much nearer; nobody's system time is touched.
 */
import { randomUUID } from "node:crypto";
import { rm } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import { openDapr } from "../../adapters/dapr/index.ts";
import { openEmbedded } from "../../adapters/embedded/index.ts";
import { createScheduler } from "../../agents/skills/scheduler/index.ts";
import { schedulerSettings } from "../../agents/skills/scheduler/settings.ts";
import { freePorts } from "../../src/main/dapr/ports.ts";
import type { Clock, Jobs, Runtime } from "../../src/ports.ts";
import type { TaskCaller, TaskPart } from "../../src/skilled.ts";
import { createTaskHost } from "../../src/task-host.ts";
import { needsDapr, startCluster } from "../services/dapr.ts";
import { clock as realClock, newDirectory, quietLog } from "./embedded-fixture.ts";

const ann: TaskCaller = { tenant: "t", id: "ann" };
const wordsOf = (parts: readonly TaskPart[]) => parts.flatMap((part) => (part.kind === "text" ? [part.text] : []));

async function onEmbedded(): Promise<Runtime> {
  const directory = newDirectory();
  onTestFinished(() => rm(directory, { recursive: true }));
  return openEmbedded({ directory, clock: realClock, log: quietLog });
}

async function onDapr(): Promise<Runtime> {
  const cluster = await startCluster({ pubsub: "redis", state: "redis" });
  onTestFinished(() => cluster.close(), 60_000);
  const [port = 0] = await freePorts(1);
  const { url: sidecarUrl } = await cluster.sidecar({ appPort: port });
  const { apiToken, appToken } = cluster;
  const listen = { host: "127.0.0.1", port };
  return openDapr({ sidecarUrl, apiToken, appToken, listen, clock: realClock, log: quietLog, hosts: false });
}

/** The scheduler, and a wall clock that begins at `start`. */
async function open(runtime: Runtime, start: string) {
  let aheadMs = Date.parse(start) - Date.now();
  const clock: Clock = { ...realClock, now: () => realClock.now() + aheadMs };
  const waiting = new Map<string, { readonly dueAt: number; readonly data: unknown }>();
  const real = (name: string, dueAt: number, data: unknown) =>
    runtime.jobs.schedule(name, { dueAt: dueAt - aheadMs }, data);
  const jobs: Jobs = {
    ...runtime.jobs,
    async schedule(name, when, data) {
      if (!("dueAt" in when)) throw new Error("no periodic job is expected here");
      waiting.set(name, { dueAt: when.dueAt, data });
      await real(name, when.dueAt, data);
    },
    async cancel(name) {
      waiting.delete(name);
      await runtime.jobs.cancel(name);
    },
  };
  const provider = { getModel: () => Promise.reject(new Error("the demo needs no model")) };
  const agent = createScheduler(
    { ...schedulerSettings.parse({ timeZone: "Europe/Berlin" }), model: "demo" },
    { models: { provider, clock, log: quietLog }, clock },
  );
  const { records, actors, blobs } = runtime;
  const host = createTaskHost({
    runtime: { records, actors, blobs, jobs },
    clock,
    log: quietLog,
    instance: randomUUID(),
  });
  const tasks = host.add(agent);
  runtime.jobs.handle(async (name, data) => {
    waiting.delete(name);
    await host.run(name, data);
  });
  await runtime.start();
  onTestFinished(async () => {
    await host.drain(0);
    await runtime.stop(0);
  }, 30_000);

  const toldBy = async (id: string) =>
    (await tasks.get(ann, id))?.artifacts.map(({ parts }) => wordsOf(parts).join("\n")) ?? [];
  return {
    toldBy,
    async say(text: string): Promise<string> {
      const { id } = await tasks.send(ann, { id: randomUUID(), parts: [{ kind: "text", text }] });
      await expect.poll(async () => (await tasks.get(ann, id))?.dueAt, { timeout: 10_000 }).toBeGreaterThan(0);
      return id;
    },
    /** The clock on the wall is set ahead. */
    async goTo(at: number): Promise<void> {
      aheadMs += at - clock.now();
      for (const [name, { dueAt, data }] of waiting) await real(name, dueAt, data);
    },
    dueOf: async (id: string) => (await tasks.get(ann, id))?.dueAt ?? Number.NaN,
    now: clock.now,
  };
}

type Desk = Awaited<ReturnType<typeof open>>;

/** Nothing before its time, then these words: on time where they say nothing of being late. */
async function comesAt(desk: Desk, id: string, at: string, words: string): Promise<void> {
  const before = (await desk.toldBy(id)).length;
  await desk.goTo(Date.parse(at) - 1_500);
  await sleep(700);
  expect(await desk.toldBy(id)).toHaveLength(before);
  await expect.poll(() => desk.toldBy(id), { timeout: 15_000, interval: 20 }).toHaveLength(before + 1);
  const lateMs = desk.now() - Date.parse(at);
  expect(lateMs).toBeGreaterThanOrEqual(0);
  expect(lateMs).toBeLessThan(8_000);
  expect((await desk.toldBy(id)).at(-1)).toBe(words);
}

async function waitsFor(desk: Desk, id: string, at: string): Promise<void> {
  await expect.poll(async () => new Date(await desk.dueOf(id)).toISOString(), { timeout: 15_000 }).toBe(at);
}

function clockChanges(makeRuntime: () => Promise<Runtime>): void {
  test("nine o'clock stays nine o'clock, and what the clock jumps over comes as much later as it jumps", async () => {
    const desk = await open(await makeRuntime(), "2027-03-26T12:00:00+01:00");
    const nine = await desk.say("remind me every day at 9:00 to stretch");
    const night = await desk.say("remind me every day at 2:30 to look at the bread");
    const once = await desk.say("remind me on 28 March at 2:15 to change the clocks");
    const [stretch, bread] = ["Reminder: stretch", "Reminder: look at the bread"];
    await comesAt(desk, night, "2027-03-27T02:30:00+01:00", bread);
    await comesAt(desk, nine, "2027-03-27T09:00:00+01:00", stretch);
    // From 02:00 to 03:00.
    await comesAt(desk, once, "2027-03-28T03:15:00+02:00", "Reminder: change the clocks");
    await comesAt(desk, night, "2027-03-28T03:30:00+02:00", bread);
    await comesAt(desk, nine, "2027-03-28T09:00:00+02:00", stretch);
    await waitsFor(desk, nine, "2027-03-29T07:00:00.000Z");
    await waitsFor(desk, night, "2027-03-29T00:30:00.000Z");
    for (const [id, times] of Object.entries({ [nine]: 2, [night]: 2, [once]: 1 }))
      expect(await desk.toldBy(id)).toHaveLength(times);
  }, 240_000);

  test("what the clock shows twice comes the first time alone, and equal steps know no wall clock", async () => {
    const desk = await open(await makeRuntime(), "2027-10-30T12:00:00+02:00");
    const nine = await desk.say("remind me every day at 9:00 to stretch");
    const night = await desk.say("remind me every day at 2:30 to look at the bread");
    const once = await desk.say("remind me on 31 October at 2:15 to change the clocks");
    const steps = await desk.say("remind me every 12 hours to rest");
    await comesAt(desk, steps, new Date(await desk.dueOf(steps)).toISOString(), "Reminder: rest");
    // From 03:00 back to 02:00.
    await comesAt(desk, once, "2027-10-31T02:15:00+02:00", "Reminder: change the clocks");
    await comesAt(desk, night, "2027-10-31T02:30:00+02:00", "Reminder: look at the bread");
    await desk.goTo(Date.parse("2027-10-31T02:30:00+01:00") - 500);
    await sleep(2_000);
    await waitsFor(desk, night, "2027-11-01T01:30:00.000Z");
    await comesAt(desk, nine, "2027-10-31T09:00:00+01:00", "Reminder: stretch");
    // Twelve hours after midnight of the summer's clock.
    await comesAt(desk, steps, new Date(await desk.dueOf(steps)).toISOString(), "Reminder: rest");
    expect(new Date(desk.now()).toISOString()).toMatch(/^2027-10-31T10:00/);
    await waitsFor(desk, nine, "2027-11-01T08:00:00.000Z");
    for (const [id, times] of Object.entries({ [nine]: 1, [night]: 1, [once]: 1, [steps]: 2 }))
      expect(await desk.toldBy(id)).toHaveLength(times);
  }, 240_000);

  test("downtime over the change is told once, with what was missed, and nine o'clock is next", async () => {
    const desk = await open(await makeRuntime(), "2027-03-26T12:00:00+01:00");
    const nine = await desk.say("remind me every day at 9:00 to stretch");
    await desk.goTo(Date.parse("2027-03-29T12:00:00+02:00"));
    await expect.poll(() => desk.toldBy(nine), { timeout: 15_000 }).toHaveLength(1);
    expect(await desk.toldBy(nine)).toEqual([
      "Reminder: stretch\nIt comes late: it was due 2 days ago, Saturday, 27 March 2027 at 09:00 (Europe/Berlin).\n" +
        "2 more times passed meanwhile.",
    ]);
    await sleep(1_500);
    await comesAt(desk, nine, "2027-03-30T09:00:00+02:00", "Reminder: stretch");
    expect(await desk.toldBy(nine)).toHaveLength(2);
  }, 240_000);
}

describe("on the embedded runtime", () => {
  clockChanges(onEmbedded);
});

const { missing } = await needsDapr();
describe.skipIf(missing)("on Dapr", () => {
  clockChanges(onDapr);
});
