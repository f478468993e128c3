/** What budgets promise on any store, by as many processes as count in it. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createBudgets, type Budgets, type BudgetSettings } from "../../src/budget-meter.ts";
import { BudgetError, type Payer } from "../../src/budgets.ts";
import type { Records } from "../../src/ports.ts";
import { clock, quietLog } from "../integration/embedded-fixture.ts";

export interface BudgetsContract {
  readonly name: string;
  /** The same store, as each of so many processes has it. */
  readonly open: () => Promise<{ readonly records: readonly Records[]; close(): Promise<void> }>;
  readonly shared: boolean;
}

const reservation = 150;
const planned = { model: "openai:gpt-5", input: 100, output: 50 };
const mostTokens = 5_000;

export function settingsOf(scopes: BudgetSettings["scopes"]): BudgetSettings {
  const prices = { models: {}, tools: {} };
  return { timeZone: "UTC", currency: "USD", outputTokens: 50, keptDays: 62, scopes, prices };
}

export function budgetsContract({ name, open, shared }: BudgetsContract): void {
  describe(`budgets on ${name}`, () => {
    let stores: Awaited<ReturnType<BudgetsContract["open"]>>;
    let n = 0;
    beforeAll(async () => {
      stores = await open();
    }, 240_000);
    afterAll(() => stores.close(), 60_000);

    const somebody = (): Payer => ({ tenant: "t", person: `p${process.pid}-${++n}`, conversation: `c${n}` });
    const opened = (scopes: BudgetSettings["scopes"]): Budgets[] =>
      stores.records.map((records) =>
        createBudgets({ records, clock, log: quietLog, settings: settingsOf(scopes), shared }),
      );
    const both = { day: { tokens: mostTokens }, month: { tokens: mostTokens * 2 } };

    /** Calls until a budget ends. @returns what was really used, and what those calls that died had reserved. */
    async function calling(budgets: Budgets, who: Payer, dies: () => boolean) {
      const sum = { used: 0, lost: 0, ended: 0 };
      for (;;) {
        try {
          const charge = await budgets.reserve(who, planned);
          await sleep(Math.random() * 4);
          if (dies()) {
            sum.lost += reservation;
            continue;
          }
          const output = Math.floor(Math.random() * 50);
          sum.used += 100 + output;
          charge.settle({ input: 100, cached: 0, output });
        } catch (error) {
          if (!(error instanceof BudgetError)) throw error;
          sum.ended += 1;
          return sum;
        }
      }
    }

    it(
      "50 turns of one person at once never exceed it by more than one call's reservation",
      { timeout: 120_000 },
      async () => {
        const who = somebody();
        const all = opened({ person: both, conversation: both });
        const turns = Array.from({ length: 50 }, (_, at) => calling(all[at % all.length] as Budgets, who, () => false));
        const sums = await Promise.all(turns);
        const used = sums.reduce((sum, one) => sum + one.used, 0);
        expect(used).toBeLessThan(mostTokens + reservation);
        // Nothing was refused for what came to less in the end.
        expect(used).toBeGreaterThan(mostTokens - 50 * reservation);
        await Promise.all(all.map((one) => one.drain(20_000)));
        const [standing] = (await all[0]?.standing("person", who)) ?? [];
        expect(standing?.used.tokens).toBe(used);
        expect(await all.at(-1)?.standing("conversation", who)).toMatchObject([{ used: { tokens: used } }, {}]);
        // What is left is there for whoever comes next, up to the limit itself.
        const last = await calling(all[0] as Budgets, who, () => false);
        expect(used + last.used).toBeGreaterThanOrEqual(mostTokens);
        expect(used + last.used).toBeLessThan(mostTokens + reservation);
      },
    );

    it("what dies between reservation and settlement counts in full", { timeout: 120_000 }, async () => {
      const who = somebody();
      const all = opened({ person: both });
      let call = 0;
      const turns = Array.from({ length: 20 }, (_, at) =>
        calling(all[at % all.length] as Budgets, who, () => ++call % 3 === 0),
      );
      const sums = await Promise.all(turns);
      await Promise.all(all.map((one) => one.drain(20_000)));
      const used = sums.reduce((sum, one) => sum + one.used, 0);
      const lost = sums.reduce((sum, one) => sum + one.lost, 0);
      expect(lost).toBeGreaterThan(0);
      expect(used + lost).toBeLessThan(mostTokens + reservation);
      // Another process, which knows nothing of those, counts them too.
      const [after] = opened({ person: both });
      expect(await after?.standing("person", who)).toMatchObject([{ used: { tokens: used + lost } }, {}]);
      const rows = (await after?.used("person", who, 1)) ?? [];
      expect(rows.find(({ name: what }) => what === "not settled")).toMatchObject({
        input: lost,
        calls: lost / reservation,
      });
    });

    it("where one refuses none of the others has counted the call", { timeout: 60_000 }, async () => {
      const who = somebody();
      const all = opened({ person: { day: { calls: 3 } }, conversation: both });
      const made = await Promise.allSettled(
        Array.from({ length: 10 }, async (_, at) => all[at % all.length]?.count(who, "bank__pay")),
      );
      expect(made.filter(({ status }) => status === "fulfilled")).toHaveLength(3);
      await Promise.all(all.map((one) => one.drain(20_000)));
      expect(await all[0]?.standing("conversation", who)).toMatchObject([{ used: { calls: 3, tokens: 0 } }, {}]);
      await expect(all[0]?.count(who, "bank__pay")).rejects.toMatchObject({ scope: "person", window: "day" });
    });

    it("what is forgotten still bounds the rest of the day, and tells nothing of it", { timeout: 60_000 }, async () => {
      const who = somebody();
      const [budgets] = opened({ person: { day: { tokens: 200 } } });
      const charge = await budgets?.reserve(who, planned);
      charge?.settle({ input: 100, cached: 0, output: 40 });
      await budgets?.drain(20_000);
      await budgets?.forget([who]);
      expect(await budgets?.used("person", who, 5)).toMatchObject([{ name: "forgotten", calls: 1, input: 140 }]);
      await budgets?.reserve(who, planned);
      await expect(budgets?.reserve(who, planned)).rejects.toThrow(BudgetError);
    });
  });
}
