/** Reserves and settles calls in the budgets of all whom they are for, and tells when one comes to its end. */
import { createHash, randomUUID } from "node:crypto";
import type { Announce } from "./announce.ts";
import { createCalendar, dayBefore, earlierInMonth, monthOf } from "./budget-calendar.ts";
import * as days from "./budget-day.ts";
import type { Amount, BudgetDay, UsedRow, WindowLimits } from "./budget-day.ts";
import { createLedger } from "./budget-ledger.ts";
import { costOf, costOfTool, type Prices } from "./budget-prices.ts";
import { createNews, type BudgetAccount } from "./budget-news.ts";
import {
  BudgetError,
  budgetScopes,
  budgetWindows,
  type BudgetScope,
  type BudgetWindow,
  type CallUsage,
  type Charge,
  type Meter,
  type Payer,
} from "./budgets.ts";
import { reasonOf } from "./errors.ts";
import type { Clock, Log, Records } from "./ports.ts";

export interface BudgetSettings {
  readonly timeZone: string;
  /** What money is counted in: a word. */
  readonly currency: string;
  /** Reserved for an answer whose length nothing bounds. */
  readonly outputTokens: number;
  /** Days for which usage is kept: more than a month has. */
  readonly keptDays: number;
  /** A scope that is there is counted, with limits or without. */
  readonly scopes: { readonly [Scope in BudgetScope]?: WindowLimits | undefined };
  readonly prices: Prices;
}

export interface MetersOptions {
  readonly records: Records;
  readonly clock: Clock;
  readonly log: Log;
  readonly settings: BudgetSettings;
  /** Other processes count in the same records. */
  readonly shared: boolean;
  readonly announce?: Announce | undefined;
}

/** What one used on a day. */
export interface UsedOnDay extends UsedRow {
  readonly day: string;
}

export interface Standing {
  readonly window: BudgetWindow;
  readonly used: Amount;
  readonly limits: days.Limits;
}

export interface Budgets extends Meter {
  readonly currency: string;
  /** Which scopes are counted. */
  readonly counted: readonly BudgetScope[];
  /** Of the last so many days, this one included, the latest first. */
  used(scope: BudgetScope, who: Payer, count: number): Promise<readonly UsedOnDay[]>;
  /** How far the windows are used that are running now; empty where the scope is not counted. */
  standing(scope: BudgetScope, who: Payer): Promise<readonly Standing[]>;
  /** Of these nothing is kept but the sums that bound their running windows, under names that tell nothing. */
  forget(who: readonly Payer[]): Promise<void>;
  /** Until what is known of calls is written, or the time is over. */
  drain(graceMs: number): Promise<void>;
}

/** What one call stands in. */
interface Entered {
  readonly account: BudgetAccount;
  readonly key: string;
}

type Enter = (day: BudgetDay, id: string) => BudgetDay;

const dayMs = 86_400_000;
const settleTries = 6;
const none: CallUsage = { input: 0, cached: 0, output: 0 };

export function createBudgets({ records, clock, log, settings, shared, announce }: MetersOptions): Budgets {
  const { prices, scopes } = settings;
  const calendar = createCalendar(settings.timeZone);
  const ledger = createLedger({ records, clock, shared, keptMs: settings.keptDays * dayMs, begin });
  const news = createNews({ clock, log, announce });
  const counted = budgetScopes.filter((scope) => scopes[scope] !== undefined);
  const settling = new Set<Promise<void>>();
  const today = (): string => calendar.dayOf(clock.now());

  function accountOf(scope: BudgetScope, who: Payer): BudgetAccount | undefined {
    const name = { ...who, gateway: "" }[scope];
    const limits = scopes[scope];
    if (name === undefined || limits === undefined) return undefined;
    const of = scope === "gateway" || scope === "tenant" ? [scope, name] : [scope, who.tenant, name];
    const digest = createHash("sha256").update(JSON.stringify(of)).digest("base64url").slice(0, 32);
    return { scope, limits, key: `budget:${scope}:${digest}` };
  }

  /** The month goes on from its latest day; a key ends with its day. */
  async function begin(key: string): Promise<BudgetDay> {
    const [, scope] = key.split(":");
    if (scopes[scope as BudgetScope]?.month === undefined) return days.newDay();
    const [day, account] = [key.slice(-10), key.slice(0, -11)];
    const found = await Promise.all(earlierInMonth(day).map((one) => records.get(`${account}:${one}`)));
    const latest = found.find((one) => one !== undefined);
    return days.newDay(latest && days.countedIn(days.readDay(latest.value), "month"));
  }

  /** Reserves it in every account at once; where one refuses or cannot be written, none keeps it. */
  async function enter(who: Payer, id: string, add: Enter): Promise<readonly Entered[]> {
    const day = today();
    const all = counted.flatMap((scope): Entered[] => {
      const account = accountOf(scope, who);
      return account === undefined ? [] : [{ account, key: `${account.key}:${day}` }];
    });
    const tries = all.map(({ account, key }) =>
      ledger.change(key, (before) => {
        // Its write was of unknown fate.
        if (before.open[id] !== undefined) return { day: before, result: undefined };
        const window = days.endedIn(before, account.limits);
        if (window === undefined) return { day: add(before, id), result: undefined };
        const reserved = days.endedIn(days.settledOf(before), account.limits) === undefined;
        return { day: before, result: { window, reserved } };
      }),
    );
    const results = await Promise.allSettled(tries);
    const stops = results.map((one) => (one.status === "fulfilled" ? one.value : undefined));
    const failed = results.find((one) => one.status === "rejected");
    const at = stops.findIndex((stop) => stop !== undefined);
    const [refusing, stop] = [all[at], stops[at]];
    if (refusing === undefined && failed === undefined) return all;
    // Also where it is not known whether it was written.
    for (const [n, { key }] of all.entries())
      if (stops[n] === undefined) later(key, (before) => days.release(before, id));
    if (refusing === undefined || stop === undefined) throw failed?.reason;
    const { account } = refusing;
    const { window, reserved } = stop;
    const period = window === "day" ? day : monthOf(day);
    if (!reserved) news.tell(who, { account, window, period, kind: "ended" });
    throw new BudgetError({ scope: account.scope, window, period, reserved });
  }

  /** Off the caller's way. What cannot be written after some tries stays counted as it is: in full. */
  function later(key: string, change: (day: BudgetDay) => BudgetDay, done?: (day: BudgetDay) => void): void {
    const next = (before: BudgetDay) => {
      const day = change(before);
      return { day, result: day };
    };
    const work = async () => {
      for (let tries = 1; ; tries += 1) {
        try {
          const after = await ledger.change(key, next, true);
          return done?.(after);
        } catch (error) {
          if (tries === settleTries)
            return log.warn({ reason: reasonOf(error) }, "what a call came to could not be written: it counts in full");
          await new Promise<void>((resolve) => void clock.after(100 * 4 ** tries, resolve));
        }
      }
    };
    const settled: Promise<void> = work().finally(() => settling.delete(settled));
    settling.add(settled);
  }

  async function reserve(who: Payer, name: string, amount: { readonly tokens: number; readonly money: number }) {
    const id = randomUUID().slice(0, 13);
    const entered = await enter(who, id, (day, of) => days.reserve(day, of, amount));
    return {
      settle(used: CallUsage, money: number) {
        for (const { account, key } of entered)
          later(
            key,
            (day) => days.settle(day, id, name, used, money),
            (after) => news.follow(who, account, key.slice(-10), after),
          );
      },
      cancel() {
        for (const { key } of entered) later(key, (day) => days.release(day, id));
      },
    };
  }

  return {
    currency: settings.currency,
    counted,
    async reserve(who, { model, input, output = settings.outputTokens, seconds }): Promise<Charge> {
      const planned: CallUsage = { input, cached: 0, output, ...(seconds === undefined ? {} : { seconds }) };
      const made = await reserve(who, model, { tokens: input + output, money: costOf(prices, model, planned) });
      let over = false;
      const once = (end: () => void): void => {
        if (!over) end();
        over = true;
      };
      return {
        planned,
        settle: (used) => once(() => made.settle(used, costOf(prices, model, used))),
        cancel: () => once(made.cancel),
      };
    },
    async count(who, tool) {
      const money = costOfTool(prices, tool);
      // Reserved first, so that one that another account refuses can be taken back.
      const { settle } = await reserve(who, `tool ${tool}`, { tokens: 0, money });
      settle(none, money);
    },
    async used(scope, who, many) {
      const account = accountOf(scope, who);
      if (account === undefined) return [];
      const wanted = Array.from({ length: many }, (_, n) => dayBefore(today(), n));
      const found = await Promise.all(wanted.map((day) => records.get(`${account.key}:${day}`)));
      return found.flatMap((one, at) => {
        const rows = one === undefined ? [] : days.rowsOf(days.readDay(one.value));
        return rows.map((row) => ({ day: wanted[at] ?? "", ...row }));
      });
    },
    async standing(scope, who) {
      const account = accountOf(scope, who);
      if (account === undefined) return [];
      const key = `${account.key}:${today()}`;
      const found = await records.get(key);
      const day = found === undefined ? await begin(key) : days.readDay(found.value);
      return budgetWindows.flatMap((window) => {
        const limits = account.limits[window];
        if (limits === undefined && window === "month") return [];
        return [{ window, used: days.countedIn(day, window), limits: limits ?? {} }];
      });
    },
    async forget(who) {
      const personal = (["person", "conversation"] as const).flatMap((scope) =>
        who.flatMap((one) => accountOf(scope, one)?.key ?? []),
      );
      for (const key of new Set(personal)) {
        // First: the month goes on from here, whatever is gone before it.
        await ledger.change(`${key}:${today()}`, (day) => ({ day: days.sumsOf(day), result: undefined }));
        const before = Array.from({ length: settings.keptDays }, (_, n) => `${key}:${dayBefore(today(), n + 1)}`);
        await Promise.all(before.map((one) => records.remove(one)));
      }
    },
    async drain(graceMs) {
      const all = async () => {
        while (settling.size > 0) await Promise.allSettled(settling);
        await ledger.idle();
      };
      await Promise.race([all(), new Promise<void>((resolve) => void clock.after(graceMs, resolve))]);
    },
  };
}
