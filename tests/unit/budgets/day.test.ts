import { describe, expect, it } from "vitest";
import { createCalendar, dayBefore, earlierInMonth, monthOf } from "../../../src/budget-calendar.ts";
import {
  countedIn,
  countedOf,
  endedIn,
  newDay,
  readDay,
  release,
  reserve,
  settle,
  shareOf,
  sumsOf,
  type BudgetDay,
} from "../../../src/budget-day.ts";
import { billionths, costOf, costOfTool, type Prices } from "../../../src/budget-prices.ts";

const used = (input: number, output: number) => ({ input, cached: 0, output });

describe("a day of a budget", () => {
  it("counts a reservation in full until it is settled, and then what it came to", () => {
    const reserved = reserve(newDay(), "a", { tokens: 1_000, money: 50 });
    expect(countedOf(reserved)).toEqual({ tokens: 1_000, money: 50, calls: 1 });
    const settled = settle(reserved, "a", "openai:gpt-5", used(100, 20), 6);
    expect(countedOf(settled)).toEqual({ tokens: 120, money: 6, calls: 1 });
    expect(settled.of).toEqual({ "openai:gpt-5": { calls: 1, input: 100, cached: 0, output: 20, money: 6 } });
  });

  it("changes nothing where a reservation is settled or released again, in any order", () => {
    const open = reserve(reserve(newDay(), "a", { tokens: 10, money: 1 }), "b", { tokens: 20, money: 2 });
    const settled = settle(open, "a", "m", used(3, 4), 1);
    expect(settle(settled, "a", "m", used(3, 4), 1)).toBe(settled);
    expect(release(settled, "a")).toBe(settled);
    const released = release(settled, "b");
    expect(countedOf(released)).toEqual({ tokens: 7, money: 1, calls: 1 });
    expect(release(released, "b")).toBe(released);
    expect(settle(released, "b", "m", used(9, 9), 9)).toBe(released);
  });

  it("has ended when what is spent and reserved reaches a limit, of the month before of the day", () => {
    const day = reserve(newDay({ tokens: 900, money: 0, calls: 3 }), "a", { tokens: 100, money: 7 });
    expect(endedIn(day, {})).toBeUndefined();
    expect(endedIn(day, { day: { tokens: 101, money: 8, calls: 2 } })).toBeUndefined();
    expect(endedIn(day, { day: { tokens: 100 } })).toBe("day");
    expect(endedIn(day, { day: { money: 7 } })).toBe("day");
    expect(endedIn(day, { day: { calls: 1 } })).toBe("day");
    expect(endedIn(day, { day: { tokens: 100 }, month: { tokens: 1_000 } })).toBe("month");
    expect(endedIn(day, { day: { tokens: 200 }, month: { calls: 5 } })).toBeUndefined();
    expect(countedIn(day, "month")).toEqual({ tokens: 1_000, money: 7, calls: 4 });
  });

  it("knows which limit is nearest", () => {
    const counted = { tokens: 500, money: 9, calls: 1 };
    expect(shareOf(counted, { tokens: 1_000, money: 10, calls: 100 })).toBe(0.9);
    expect(shareOf(counted, {})).toBe(0);
  });

  it("tells so many names apart and no more, whatever they are", () => {
    let day: BudgetDay = newDay();
    for (const name of ["__proto__", "constructor", ...Array.from({ length: 200 }, (_, n) => `tool t${n}`)]) {
      day = settle(reserve(day, "x", { tokens: 1, money: 1 }), "x", name, used(1, 0), 1);
    }
    const names = Object.entries(day.of);
    expect(names.length).toBeLessThanOrEqual(101);
    expect(names.reduce((sum, [, of]) => sum + of.calls, 0)).toBe(202);
    expect(readDay(JSON.parse(JSON.stringify(day)))).toEqual(day);
  });

  it("keeps its sums without what they are made of", () => {
    const day = settle(reserve(newDay(), "a", { tokens: 9, money: 9 }), "a", "m", used(1, 1), 2);
    expect(sumsOf(day)).toEqual({ ...day, of: {} });
    const none = newDay();
    expect(sumsOf(none)).toBe(none);
  });
});

describe("prices", () => {
  const prices: Prices = {
    models: {
      "openai:gpt-5": { input: 1.25, cachedInput: 0.125, output: 10, request: 0, minute: 0 },
      "openai:whisper-1": { input: 0, output: 0, request: 0, minute: 0.006 },
    },
    tools: { bank__pay: 0.5, "bank__*": 0.001, "agent__*": 0.02 },
  };

  it("are counted exactly, cached input by its own", () => {
    const cost = costOf(prices, "openai:gpt-5", { input: 1_000_000, cached: 400_000, output: 1_000 });
    expect(cost / billionths).toBe(0.6 * 1.25 + 0.4 * 0.125 + 0.01);
    expect(costOf(prices, "openai:gpt-5", used(1, 0))).toBe(1_250);
    expect(costOf(prices, "openai:whisper-1", { ...used(0, 0), seconds: 90 }) / billionths).toBe(0.009);
    expect(costOf(prices, "unknown:model", used(5, 5))).toBe(0);
  });

  it("of tools go by the first name that fits", () => {
    expect(costOfTool(prices, "bank__pay") / billionths).toBe(0.5);
    expect(costOfTool(prices, "bank__list") / billionths).toBe(0.001);
    expect(costOfTool(prices, "files__read")).toBe(0);
  });
});

describe("days", () => {
  it("begin at midnight of their zone, also where its clocks change and where it is off by a quarter of an hour", () => {
    const at = (time: string, zone: string) => createCalendar(zone).dayOf(Date.parse(time));
    expect(at("2026-11-25T23:59:59Z", "UTC")).toBe("2026-11-25");
    expect(at("2026-11-25T23:00:00Z", "Europe/Berlin")).toBe("2026-11-26");
    expect(at("2026-10-24T22:00:00Z", "Europe/Berlin")).toBe("2026-10-25");
    expect(at("2026-10-25T22:59:59Z", "Europe/Berlin")).toBe("2026-10-25");
    expect(at("2026-11-25T18:15:00Z", "Asia/Kathmandu")).toBe("2026-11-26");
    const calendar = createCalendar("Asia/Kathmandu");
    expect(calendar.dayOf(Date.parse("2026-11-25T18:14:59Z"))).toBe("2026-11-25");
    expect(calendar.dayOf(Date.parse("2026-11-25T18:15:00Z"))).toBe("2026-11-26");
  });

  it("know those before them", () => {
    expect(dayBefore("2026-03-01", 1)).toBe("2026-02-28");
    expect(monthOf("2026-03-01")).toBe("2026-03");
    expect(earlierInMonth("2026-03-01")).toEqual([]);
    expect(earlierInMonth("2026-03-03")).toEqual(["2026-03-02", "2026-03-01"]);
  });
});
