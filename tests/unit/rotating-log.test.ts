/** Logs that end as what they name does, on lists in memory. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Transcript } from "../../src/ports.ts";
import { createRotatingLog, listsOf } from "../../src/rotating-log.ts";
import { clock, probe } from "../contract/channel-deps.ts";

const period = 1_000_000;

beforeEach(() => void vi.useFakeTimers({ toFake: ["Date"], now: 100 * period }));
afterEach(() => void vi.useRealTimers());

const open = () => probe({ tenant: "t", channel: "c", account: "a" }).deps.transcript;
const processOn = (transcript: Transcript, ms = period) => createRotatingLog(transcript, clock, ms);

async function all(names: AsyncIterable<string>): Promise<string[]> {
  const found: string[] = [];
  for await (const name of names) found.push(name);
  return found;
}
async function kept(transcript: Transcript): Promise<number> {
  const lists = await Promise.all(listsOf("log").map((list) => transcript.list(list, { after: 0, limit: 1_000 })));
  return lists.flat().length;
}

test("two processes that come to a new period at once lose nothing", async () => {
  const transcript = open();
  for (let n = 0; n < 5; n++) {
    await processOn(transcript).add("log", `before ${n}`);
    vi.setSystemTime((101 + n) * period);
  }
  const slow = Promise.withResolvers<void>();
  const late = { ...transcript, clear: async (list: string) => slow.promise.then(() => transcript.clear(list)) };
  const second = processOn(late).add("log", "second");
  await processOn(transcript).add("log", "first");
  slow.resolve();
  await second;
  expect((await all(processOn(transcript).newest("log"))).toSorted()).toEqual(["before 4", "first", "second"]);
});

test("what is over is cleared, so that the log does not grow with time", async () => {
  const transcript = open();
  const log = processOn(transcript);
  for (let n = 0; n < 20; n++) {
    vi.setSystemTime((100 + n) * period);
    for (let i = 0; i < 10; i++) await log.add("log", `${n} ${i}`);
    expect(await kept(transcript)).toBeLessThanOrEqual(20);
  }
  // Late in a period nothing is cleared: another process may be in the next one.
  vi.setSystemTime(121.9 * period);
  await log.add("log", "late");
  expect(await all(log.newest("log"))).toEqual(["late"]);
});

test("where the period was another one before, what is not over is still found", async () => {
  const transcript = open();
  for (const name of ["a", "b", "c"]) {
    await processOn(transcript, 3 * period).add("log", name);
    vi.setSystemTime(Date.now() + period / 4);
  }
  for (const ms of [period, 7 * period, period / 1.3]) {
    await processOn(transcript, ms).add("log", "d");
    expect((await all(processOn(transcript, ms).newest("log"))).toSorted()).toEqual(["a", "b", "c", "d"]);
  }
});

test("what outlives its period stays, with its place in the list of the day", async () => {
  const transcript = open();
  const alive = new Set(["a"]);
  const log = createRotatingLog(transcript, clock, period, async (name) => alive.has(name));
  for (let n = 0; n < 9; n++) {
    await log.add("log", n === 0 ? "a" : `b ${n}`);
    if (n === 0) await log.add("log", "gone");
    vi.setSystemTime(Date.now() + period);
  }
  const names = async () => {
    const lists = await Promise.all(listsOf("log").map((list) => transcript.list(list, { after: 0, limit: 1_000 })));
    return lists.flat().map(({ key }) => key);
  };
  expect(await names()).toContain("a");
  expect(await names()).not.toContain("gone");
  alive.clear();
  for (let n = 0; n < 5; n++) {
    await log.add("log", `c ${n}`);
    vi.setSystemTime(Date.now() + period);
  }
  expect(await names()).not.toContain("a");
});
