import { describe, expect, it } from "vitest";
import {
  createGate,
  LineTooLongError,
  type Gate,
  type GateOptions,
  type Lease,
} from "../../../adapters/models/gate.ts";
import { createFairLine } from "../../../adapters/models/line.ts";
import { createWindow } from "../../../adapters/models/window.ts";
import type { MinuteLimits } from "../../../src/model-line.ts";
import { handClock, type HandClock } from "../hand-clock.ts";

const minute = 61_000;

interface Asked {
  readonly who: string;
  readonly at: number;
  readonly lease: Lease;
}

/** A gate, and in which order requests have passed it. */
function opened(limits: MinuteLimits = {}, rest: Partial<GateOptions> = {}) {
  const clock = handClock();
  const gate = createGate({ clock, window: createWindow(limits, clock), ...rest });
  const passed: Asked[] = [];
  const failed: { who: string; error: unknown }[] = [];
  function ask(who: string, { tenant = "t", tokens = 0, again = false, mostMs = 900_000, ms = 1_000 } = {}) {
    const waits: (number | undefined)[] = [];
    const abort = new AbortController();
    const caller = { tenant, line: who, onWait: (wait?: { expectedMs: number }) => void waits.push(wait?.expectedMs) };
    const done = (lease: Lease) => {
      passed.push({ who, at: clock.monotonic(), lease });
      if (Number.isFinite(ms)) clock.after(ms, () => lease.end(true));
    };
    const entered = gate.enter({ caller, tokens, again, mostMs }, abort.signal);
    if (entered instanceof Promise) entered.then(done, (error: unknown) => failed.push({ who, error }));
    else done(entered);
    return { waits, abort: (reason: Error) => abort.abort(reason) };
  }
  return { clock, gate, ask, passed, failed, order: () => passed.map(({ who }) => who) };
}

/** Never more than so many within any minute. */
function mostInAMinute(passed: readonly Asked[]): number {
  return Math.max(...passed.map(({ at }) => passed.filter((other) => other.at > at - 60_000 && other.at <= at).length));
}

describe("the line before a provider", () => {
  it("is not there where nothing is set", () => {
    const { gate } = opened();
    const caller = { tenant: "t", line: "a" };
    const entry = { caller, tokens: 0, again: false, mostMs: 1 };
    for (let n = 0; n < 1_000; n++) expect(gate.enter(entry, undefined)).not.toBeInstanceOf(Promise);
  });

  it("lets 5 requests a minute through, and 40 conversations each get theirs in the order of their coming", async () => {
    const { clock, ask, order, passed } = opened({ requestsPerMinute: 5 });
    const names = Array.from({ length: 40 }, (_, n) => `c${n}`);
    for (const name of names) ask(name);
    await clock.pass(8 * minute);
    expect(order()).toEqual(names);
    expect(mostInAMinute(passed)).toBe(5);
    expect(passed.at(-1)?.at).toBe(7 * minute);
  });

  it("lets nobody wait for one who asks more than others", async () => {
    const { clock, ask, order } = opened({ requestsPerMinute: 5 });
    for (let n = 0; n < 40; n++) ask("eager");
    for (const name of ["a", "b", "c"]) ask(name);
    await clock.pass(2 * minute);
    expect(order().slice(0, 5)).toEqual(Array.from({ length: 5 }, () => "eager"));
    expect(order().slice(5, 10).toSorted()).toEqual(["a", "b", "c", "eager", "eager"]);
  });

  it("lets no tenant wait for one with many conversations", async () => {
    const { clock, ask, order } = opened({ requestsPerMinute: 5 });
    for (let n = 0; n < 40; n++) ask(`flood ${n}`, { tenant: "flood" });
    ask("a", { tenant: "small" });
    ask("b", { tenant: "small" });
    await clock.pass(minute);
    expect(
      order()
        .slice(5, 10)
        .filter((who) => !who.startsWith("flood")),
    ).toEqual(["a", "b"]);
  });

  it("takes what was asked first of one conversation first", async () => {
    const { clock, ask, passed } = opened({ requestsPerMinute: 1 });
    const order: number[] = [];
    for (let n = 0; n < 3; n++) ask("a", { tokens: n });
    await clock.pass(3 * minute);
    for (const { at } of passed) order.push(at);
    expect(order).toEqual([0, minute, 2 * minute]);
  });

  it("counts tokens, and puts what a request came to in the place of what was estimated", async () => {
    const { clock, ask, passed, order } = opened({ tokensPerMinute: 1_000 });
    ask("a", { tokens: 600, ms: Infinity });
    ask("b", { tokens: 600 });
    await clock.pass(10_000);
    expect(order()).toEqual(["a"]);
    passed[0]?.lease.end(true, 200);
    await clock.pass(0);
    expect(order()).toEqual(["a", "b"]);
    ask("c", { tokens: 300 });
    await clock.pass(49_500);
    expect(order()).toEqual(["a", "b"]);
    await clock.pass(minute);
    expect(order()).toEqual(["a", "b", "c"]);
  });

  it("is as it was after an answer that took longer than the minute it was counted in", async () => {
    const clock = handClock();
    const window = createWindow({ tokensPerMinute: 1_000 }, clock);
    for (const used of [100, 900]) {
      const taken = window.take(600);
      void clock.after(2 * minute, () => typeof taken === "object" && "settle" in taken && taken.settle(used));
      await clock.pass(3 * minute);
    }
    expect(window.waitMs(1, 1_000)).toBe(0);
    expect(window.take(1_000)).toBeTypeOf("object");
    expect(window.take(1)).toBeGreaterThan(0);
  });

  it("sends a request that is larger than a minute's tokens when all of them are there", async () => {
    const { clock, ask, order } = opened({ tokensPerMinute: 1_000 });
    ask("a", { tokens: 10 });
    ask("huge", { tokens: 5_000 });
    await clock.pass(60_000);
    expect(order()).toEqual(["a"]);
    await clock.pass(1_000);
    expect(order()).toEqual(["a", "huge"]);
  });

  it("lets so many through at once", async () => {
    const { clock, ask, order } = opened({}, { concurrency: 2 });
    for (const name of ["a", "b", "c", "d", "e"]) ask(name);
    expect(order()).toEqual(["a", "b"]);
    await clock.pass(1_000);
    expect(order()).toEqual(["a", "b", "c", "d"]);
  });

  it("is left at once by who is called off, and says so", async () => {
    const { clock, ask, order, failed } = opened({ requestsPerMinute: 1 });
    ask("a");
    const b = ask("b");
    ask("c");
    const reason = new Error("stopped");
    b.abort(reason);
    await clock.pass(0);
    expect(failed).toEqual([{ who: "b", error: reason }]);
    expect(b.waits.at(-1)).toBeUndefined();
    await clock.pass(minute);
    expect(order()).toEqual(["a", "c"]);
  });

  it("tells who waits how long it will be, and refuses at once whose turn would come too late", async () => {
    const { clock, ask, failed, order } = opened({ requestsPerMinute: 5 });
    const waits = Array.from({ length: 40 }, (_, n) => ask(`c${n}`)).map((one) => one.waits[0]);
    expect(waits.slice(0, 5)).toEqual(Array.from({ length: 5 }, () => undefined));
    expect([waits[5], waits[10], waits[39]]).toEqual([minute, 2 * minute, 7 * minute]);
    ask("late", { mostMs: 6 * minute });
    await clock.pass(0);
    expect(failed.map(({ who }) => who)).toEqual(["late"]);
    expect(failed[0]?.error).toMatchObject({ expectedMs: 8 * minute });
    // A tenant of its own waits for nobody's forty.
    ask("other", { tenant: "other", mostMs: 2 * minute });
    await clock.pass(minute);
    expect(order()).toContain("other");
  });

  it("gives up who has waited for as long as it may", async () => {
    const { clock, ask, failed, passed } = opened({}, { concurrency: 1 });
    ask("a", { ms: Infinity });
    ask("b", { mostMs: 10_000 });
    await clock.pass(9_999);
    expect(failed).toEqual([]);
    await clock.pass(1);
    expect(failed[0]?.error).toBeInstanceOf(LineTooLongError);
    passed[0]?.lease.end(true);
    expect(passed).toHaveLength(1);
  });
});

describe("a provider that refuses a request for now", () => {
  it("is asked nothing for as long as it says, and then that request first", async () => {
    const { clock, gate, ask, passed, order } = opened();
    ask("a", { ms: Infinity });
    gate.pause(30_000);
    passed[0]?.lease.end(false);
    ask("b");
    ask("c");
    ask("a", { again: true });
    await clock.pass(30_000);
    expect(order()).toEqual(["a"]);
    await clock.pass(10_000);
    expect(order()).toEqual(["a", "a", "b", "c"]);
  });

  it("is asked with one request, then with more and more at once", async () => {
    const { clock, gate, ask, order } = opened();
    gate.pause(10_000);
    for (let n = 0; n < 40; n++) ask(`c${n}`);
    await clock.pass(10_100);
    expect(order()).toHaveLength(1);
    await clock.pass(1_000);
    expect(order()).toHaveLength(3);
    await clock.pass(1_000);
    expect(order()).toHaveLength(11);
    await clock.pass(2_000);
    expect(order()).toHaveLength(40);
  });

  it("that does not say how long is asked again soon, and less and less soon", async () => {
    const { clock, gate } = opened();
    const pauses: number[] = [];
    for (let n = 0; n < 8; n++) {
      gate.pause(undefined);
      pauses.push(gate.pausedMs());
      await clock.pass(gate.pausedMs());
    }
    expect(pauses).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
  });

  it("for longer than somebody may wait: who waits learns it now", async () => {
    const { clock, gate, ask, failed } = opened({}, { concurrency: 1 });
    ask("a", { ms: Infinity });
    const b = ask("b", { mostMs: 60_000 });
    const c = ask("c", { mostMs: 900_000 });
    gate.pause(120_000);
    await clock.pass(0);
    expect(failed.map(({ who }) => who)).toEqual(["b"]);
    expect(b.waits.at(-1)).toBeUndefined();
    expect(c.waits.at(-1)).toBe(120_100);
  });
});

it("a request that was not made leaves its place to another, in requests and in tokens", async () => {
  const { clock, ask, passed, order } = opened({ requestsPerMinute: 1, tokensPerMinute: 100 });
  ask("a", { tokens: 100, ms: Infinity });
  ask("b", { tokens: 100, ms: Infinity });
  await clock.pass(0);
  expect(order()).toEqual(["a"]);
  passed[0]?.lease.giveBack();
  passed[0]?.lease.giveBack();
  await clock.pass(0);
  expect(order()).toEqual(["a", "b"]);
  ask("c", { tokens: 1 });
  await clock.pass(minute - 1);
  expect(order()).toEqual(["a", "b"]);
});

it("what was counted elsewhere is in the same order", async () => {
  const clock: HandClock = handClock();
  const own = createWindow({ requestsPerMinute: 2 }, clock);
  const window = { ...own, take: async (tokens: number) => Promise.resolve(own.take(tokens)) };
  const gate: Gate = createGate({ clock, window });
  const order: string[] = [];
  for (const line of ["a", "b", "c", "d", "e"]) {
    void Promise.resolve(
      gate.enter({ caller: { tenant: "t", line }, tokens: 0, again: false, mostMs: 9e5 }, undefined),
    ).then((lease) => {
      order.push(line);
      lease.end(true);
    });
  }
  await clock.pass(1_000);
  expect(order).toEqual(["a", "b"]);
  await clock.pass(3 * minute);
  expect(order).toEqual(["a", "b", "c", "d", "e"]);
});

it("a line keeps nothing of those who have left", () => {
  const line = createFairLine<{ readonly tenant: string; readonly line: string }>();
  const items = Array.from({ length: 100 }, (_, n) => ({ tenant: `t${n % 3}`, line: `c${n % 7}` }));
  for (const item of items) line.add(item);
  for (const item of items.slice(0, 50)) line.delete(item);
  for (let n = 0; n < 50; n++) expect(line.shift()).toBeDefined();
  expect(line.shift()).toBeUndefined();
  expect(line.items()).toEqual([]);
  expect(line.ahead({ tenant: "t0", line: "c0" })).toBe(0);
});
