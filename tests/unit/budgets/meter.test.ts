import { describe, expect, it } from "vitest";
import type { Announcement } from "../../../src/announce.ts";
import { createBudgets, type BudgetSettings } from "../../../src/budget-meter.ts";
import { BudgetError, payerOf } from "../../../src/budgets.ts";
import { ConflictError, InfrastructureError } from "../../../src/errors.ts";
import type { AgentId } from "../../../src/ids.ts";
import type { Records } from "../../../src/ports.ts";
import { settingsOf } from "../../contract/budgets.ts";
import { direct, memoryRecords, quiet } from "../client-agent.fixture.ts";

const who = payerOf("person:1" as AgentId, direct);
const planned = { model: "openai:gpt-5", input: 100, output: 50 };
const used = (tokens: number) => ({ input: tokens, cached: 0, output: 0 });
const noon = Date.parse("2026-11-26T12:00:00Z");
const dayMs = 86_400_000;

/** Records that count what is asked of them, and may fail or take a while. */
function store() {
  const memory = memoryRecords();
  const asked = { reads: 0, writes: 0, most: 0, failing: 0 };
  let active = 0;
  const trip = async <Result>(kind: "reads" | "writes", work: () => Promise<Result>): Promise<Result> => {
    asked[kind] += 1;
    active += 1;
    asked.most = Math.max(asked.most, active);
    await new Promise((resolve) => setTimeout(resolve, 2));
    active -= 1;
    if (asked.failing > 0) {
      asked.failing -= 1;
      throw new InfrastructureError("the store is away");
    }
    return work();
  };
  const records: Records = {
    get: (key) => trip("reads", () => memory.get(key)),
    put: (key, value, options) => trip("writes", () => memory.put(key, value, options)),
    remove: (key) => memory.remove(key),
  };
  return { records, asked, rows: memory.rows };
}

function opened(
  scopes: BudgetSettings["scopes"],
  rest: { shared?: boolean; records?: Records; more?: Partial<BudgetSettings> } = {},
) {
  const own = store();
  const time = { now: noon };
  const told: Announcement[] = [];
  const clock = {
    now: () => time.now,
    monotonic: () => performance.now(),
    after(ms: number, task: () => void) {
      const timer = setTimeout(task, ms / 100);
      return () => clearTimeout(timer);
    },
  };
  const budgets = createBudgets({
    records: rest.records ?? own.records,
    clock,
    log: quiet,
    settings: { ...settingsOf(scopes), ...rest.more },
    shared: rest.shared ?? true,
    announce: async (facts) => void told.push(...facts),
  });
  return { ...own, budgets, time, told };
}

async function call(budgets: ReturnType<typeof opened>["budgets"], tokens: number): Promise<void> {
  const charge = await budgets.reserve(who, planned);
  charge.settle(used(tokens));
  await budgets.drain(500_000);
}

describe("a reservation", () => {
  it("is one write for each scope and no read, once the scopes are known", async () => {
    const { budgets, asked } = opened({ person: { day: { tokens: 10_000 } }, tenant: {}, gateway: {} });
    await call(budgets, 10);
    await new Promise((resolve) => setTimeout(resolve, 20));
    const before = { ...asked };
    const charge = await budgets.reserve(who, planned);
    expect(asked.writes - before.writes).toBe(3);
    expect(asked.reads - before.reads).toBe(0);
    expect(asked.most).toBe(3);
    charge.settle(used(1));
    await budgets.drain(500_000);
  });

  it("of 50 turns at once takes a few writes together", async () => {
    const { budgets, asked } = opened({ person: { day: { tokens: 1_000_000 } } });
    const charges = await Promise.all(Array.from({ length: 50 }, () => budgets.reserve(who, planned)));
    expect(asked.writes).toBeLessThan(4);
    for (const charge of charges) charge.settle(used(10));
    await budgets.drain(500_000);
    expect(asked.writes).toBeLessThan(8);
    expect(await budgets.standing("person", who)).toMatchObject([{ used: { tokens: 500, calls: 50 } }]);
  });

  it("is refused at the limit, and that writes nothing", async () => {
    const { budgets, asked } = opened({ person: { day: { tokens: 100 } } });
    await call(budgets, 100);
    const before = asked.writes;
    for (let n = 0; n < 20; n++)
      await expect(budgets.reserve(who, planned)).rejects.toMatchObject({ window: "day", period: "2026-11-26" });
    expect(asked.writes).toBe(before);
  });

  it("is not made where the store is away, and counts nothing then", async () => {
    const { budgets, asked } = opened({ person: { day: { tokens: 1_000 } }, tenant: {} });
    await call(budgets, 1);
    asked.failing = 1;
    await expect(budgets.reserve(who, planned)).rejects.toThrow(InfrastructureError);
    await budgets.drain(500_000);
    expect(await budgets.standing("person", who)).toMatchObject([{ used: { tokens: 1 } }]);
    expect(await budgets.standing("tenant", who)).toMatchObject([{ used: { tokens: 1 } }]);
  });

  it("is settled when the store is back, and once however often that is said", async () => {
    const { budgets, asked } = opened({ person: { day: { tokens: 1_000 } } });
    const charge = await budgets.reserve(who, planned);
    asked.failing = 3;
    charge.settle(used(7));
    charge.settle(used(70));
    await budgets.drain(500_000);
    expect(await budgets.standing("person", who)).toMatchObject([{ used: { tokens: 7, calls: 1 } }]);
  });

  it("is as if it had never been where it is cancelled, and once however often that is said", async () => {
    const { budgets } = opened({ person: { day: { tokens: 1_000, calls: 2 } } });
    await call(budgets, 10);
    const charge = await budgets.reserve(who, planned);
    charge.cancel();
    charge.settle(used(70));
    charge.cancel();
    await budgets.drain(500_000);
    expect(await budgets.standing("person", who)).toMatchObject([{ used: { tokens: 10, calls: 1 } }]);
    await call(budgets, 10);
    await expect(budgets.reserve(who, planned)).rejects.toThrow(BudgetError);
  });

  it("is refused where others under way have reserved what is left, and nobody is told of an end that may not come", async () => {
    const { budgets, told } = opened({ person: { day: { tokens: 150 } }, tenant: {} });
    const charge = await budgets.reserve(who, planned);
    await expect(budgets.reserve(who, planned)).rejects.toMatchObject({ scope: "person", reserved: true });
    charge.settle(used(10));
    await budgets.drain(500_000);
    expect(told).toEqual([]);
    await call(budgets, 140);
    expect(told.map(({ type }) => type)).toEqual(["budget.ended"]);
    await expect(budgets.reserve(who, planned)).rejects.toMatchObject({ scope: "person", reserved: false });
  });

  it("that a newer version has written in the meantime ends no process", async () => {
    const unheard: unknown[] = [];
    const hear = (error: unknown) => void unheard.push(error);
    process.on("unhandledRejection", hear);
    const memory = memoryRecords();
    let newer = false;
    const records: Records = {
      ...memory,
      get: async (key) => (newer ? { value: { v: 2 }, etag: "newer" } : memory.get(key)),
    };
    const { budgets } = opened({ person: {} }, { records });
    const charge = await budgets.reserve(who, planned);
    newer = true;
    // After its write the day is looked up ahead.
    charge.settle(used(1));
    await budgets.drain(500_000);
    await new Promise((resolve) => setTimeout(resolve, 20));
    process.off("unhandledRejection", hear);
    expect(unheard).toEqual([]);
  });

  it("that was written though the store said that another had written is made, and once", async () => {
    const memory = memoryRecords();
    let lies = 1;
    const records: Records = {
      ...memory,
      async put(key, value, options) {
        const etag = await memory.put(key, value, options);
        if (lies-- > 0) throw new ConflictError("it is there now");
        return etag;
      },
    };
    const { budgets, told } = opened({ person: { day: { tokens: 120 } } }, { records });
    const charge = await budgets.reserve(who, planned);
    charge.settle(used(10));
    await budgets.drain(500_000);
    expect(await budgets.standing("person", who)).toMatchObject([{ used: { tokens: 10, calls: 1 } }]);
    expect(told).toEqual([]);
  });

  it("that was written though the store said otherwise is not given back twice", async () => {
    const memory = memoryRecords();
    let lies = 0;
    const records: Records = {
      ...memory,
      async put(key, value, options) {
        const etag = await memory.put(key, value, options);
        if (lies-- > 0) throw new InfrastructureError("no answer came");
        return etag;
      },
    };
    const { budgets } = opened({ person: { day: { tokens: 1_000 } } }, { records });
    const charge = await budgets.reserve(who, planned);
    await budgets.reserve(who, planned);
    lies = 2;
    charge.settle(used(10));
    await budgets.drain(500_000);
    expect(await budgets.standing("person", who)).toMatchObject([{ used: { tokens: 160, calls: 2 } }]);
  });
});

describe("a window", () => {
  it("ends with its day, and the next one answers again; the month goes on", async () => {
    const { budgets, time } = opened({ person: { day: { tokens: 100 }, month: { tokens: 250 } } });
    time.now = noon - dayMs * 3;
    await call(budgets, 100);
    await expect(budgets.reserve(who, planned)).rejects.toMatchObject({ window: "day", period: "2026-11-23" });
    time.now = noon - dayMs;
    await call(budgets, 90);
    time.now = noon;
    await call(budgets, 60);
    await expect(budgets.reserve(who, planned)).rejects.toMatchObject({ window: "month", period: "2026-11" });
    time.now = noon + dayMs * 5;
    await call(budgets, 1);
    expect(await budgets.standing("person", who)).toMatchObject([{ used: { tokens: 1 } }, { used: { tokens: 1 } }]);
  });

  it("counts a call in the day in which it was reserved", async () => {
    const { budgets, time } = opened({ person: { day: { tokens: 1_000 } } });
    const charge = await budgets.reserve(who, planned);
    time.now = noon + dayMs;
    charge.settle(used(30));
    await budgets.drain(500_000);
    const rows = await budgets.used("person", who, 3);
    expect(rows).toMatchObject([{ day: "2026-11-26", name: "openai:gpt-5", input: 30, calls: 1 }]);
  });

  it("of a month cannot be begun anew by forgetting, on any of its days", async () => {
    const { budgets, time, rows } = opened({ person: { month: { tokens: 200 } }, conversation: {} });
    time.now = noon - dayMs * 2;
    await call(budgets, 150);
    time.now = noon;
    await budgets.forget([who]);
    time.now = noon + dayMs;
    await call(budgets, 60);
    await expect(budgets.reserve(who, planned)).rejects.toThrow(BudgetError);
    expect([...rows.keys()].join()).not.toContain("2026-11-24");
    expect([...rows.keys()].join()).not.toMatch(/person:1|telegram/);
  });
});

describe("those who subscribed", () => {
  it("are warned once at 80 %, and told once of the end", async () => {
    const { budgets, told } = opened({ person: { day: { tokens: 100 } } });
    await call(budgets, 79);
    expect(told).toEqual([]);
    await call(budgets, 5);
    await call(budgets, 5);
    expect(told.map(({ type }) => type)).toEqual(["budget.warned"]);
    await call(budgets, 50);
    await expect(budgets.reserve(who, planned)).rejects.toThrow(BudgetError);
    await expect(budgets.reserve(who, planned)).rejects.toThrow(BudgetError);
    expect(told.map(({ type }) => type)).toEqual(["budget.warned", "budget.ended"]);
    expect(told[1]).toMatchObject({
      conversation: direct.conversation,
      data: { scope: "person", window: "day", period: "2026-11-26" },
    });
    expect(new Set(told.map(({ id }) => id)).size).toBe(2);
  });
});

describe("money", () => {
  const prices = {
    models: { "openai:gpt-5": { input: 1_000, output: 1_000, request: 0, minute: 0 } },
    tools: { "bank__*": 0.25 },
  };
  it("is what models and tools cost together", async () => {
    const { budgets } = opened({ person: { day: { money: 1_000_000_000 } } }, { more: { prices } });
    await budgets.count(who, "bank__pay");
    await budgets.drain(500_000);
    await call(budgets, 500);
    expect(await budgets.standing("person", who)).toMatchObject([{ used: { money: 750_000_000, calls: 2 } }]);
    await budgets.count(who, "bank__pay");
    await expect(budgets.count(who, "files__read")).rejects.toThrow(BudgetError);
    await budgets.drain(500_000);
    expect((await budgets.used("person", who, 1)).map(({ name, money }) => [name, money])).toEqual([
      ["tool bank__pay", 500_000_000],
      ["openai:gpt-5", 500_000_000],
    ]);
  });
});
