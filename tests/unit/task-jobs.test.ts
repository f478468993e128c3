import { expect, it } from "vitest";
import { createTaskJobs } from "../../src/task-jobs.ts";
import { testClock } from "./client-agent.fixture.ts";

const [heldMs, watchMs] = [50, 10_000];

function open() {
  const clock = testClock();
  const scheduled: number[] = [];
  let cancelled = 0;
  const down = { now: false };
  const jobs = createTaskJobs({
    jobs: {
      async schedule(_name, when) {
        if (down.now) throw new Error("down");
        if ("dueAt" in when) scheduled.push(when.dueAt);
      },
      cancel: async () => void cancelled++,
    },
    clock,
    heldMs,
    watchMs,
  });
  return { jobs, clock, scheduled, down, cancelled: () => cancelled };
}

const never = new Promise<void>(() => {});

it("a job whose task rests is over with it: no other one watches, and none is cancelled", async () => {
  const { jobs, scheduled, cancelled } = open();
  await jobs.hold(
    "t",
    Promise.resolve().then(() => jobs.disarm("t")),
  );
  expect([scheduled, cancelled()]).toEqual([[], 0]);
  await jobs.disarm("t");
  expect(cancelled()).toBe(1);
});

it("what takes longer is watched by another job, which is cancelled in the end", async () => {
  const { jobs, clock, scheduled, cancelled } = open();
  const before = clock.now();
  await jobs.hold("t", never);
  expect(scheduled).toHaveLength(1);
  expect(scheduled[0]).toBeGreaterThanOrEqual(before + watchMs);
  await jobs.disarm("t");
  expect(cancelled()).toBe(1);
});

it("what failed before it rested is looked at again", async () => {
  const { jobs, scheduled, down } = open();
  down.now = true;
  const failing = jobs.arm("t", 5).catch(() => undefined);
  await expect(
    jobs.hold(
      "t",
      failing.then(() => undefined),
    ),
  ).rejects.toThrow("down");
  down.now = false;
  await jobs.hold("t", Promise.resolve());
  expect(scheduled).toHaveLength(1);
});

it("what waits for a time meanwhile has its own job, which nothing replaces", async () => {
  const { jobs, scheduled, cancelled } = open();
  await jobs.hold(
    "t",
    Promise.resolve().then(() => jobs.arm("t", 5)),
  );
  expect(scheduled).toEqual([5]);
  const held = jobs.hold("t", jobs.arm("t", 6));
  await jobs.arm("t", 7);
  await jobs.disarm("t");
  await held;
  expect([scheduled, cancelled()]).toEqual([[5, 6, 7], 1]);
});
