/** Reserves and settles calls in the budgets of all whom they are for, and tells when one comes to its end. */
import { createHash, randomUUID } from "node:crypto";
import { budgetEnded, budgetWarned, type Announce, type Announcement } from "./announce.ts";
import { createCalendar, dayBefore, earlierInMonth, monthOf } from "./budget-calendar.ts";
import * as days from "./budget-day.ts";
import type { Amount, BudgetDay, Used, WindowLimits } from "./budget-day.ts";
import { createLedger } from "./budget-ledger.ts";
import { costOf, costOfTool, type Prices } from "./budget-prices.ts";
import {
  BudgetError,
  budgetScopes,
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

/** What one used on a day, by model and tool. */
export interface UsedRow extends Used {
  readonly day: string;
  readonly name: string;
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
  used(scope: BudgetScope, who: Payer, count: number): Promise<readonly UsedRow[]>;
  /** How far the windows are used that are running now; empty where the scope is not counted. */
  standing(scope: BudgetScope, who: Payer): Promise<readonly Standing[]>;
  /** Of these nothing is kept but the sums that bound their running windows, under names that tell nothing. */
  forget(who: readonly Payer[]): Promise<void>;
  /** Until what is known of calls is written, or the time is over. */
  drain(graceMs: number): Promise<void>;
}

interface Account {
  readonly scope: BudgetScope;
  readonly limits: WindowLimits;
  /** The key of its records, without the day. */
  readonly key: string;
}

interface Told {
  readonly account: Account;
  readonly window: BudgetWindow;
  readonly period: string;
  readonly kind: "warned" | "ended";
}

const dayMs = 86_400_000;
/** Subscribers are warned from this share on. */
const warnedFrom = 0.8;
const settleTries = 6;
const mostTold = 10_000;

export function createBudgets({ records, clock, log, settings, shared, announce }: MetersOptions): Budgets {
  const { prices, scopes } = settings;
  const calendar = createCalendar(settings.timeZone);
  const ledger = createLedger({ records, clock, shared, keptMs: settings.keptDays * dayMs, begin });
  const counted = budgetScopes.filter((scope) => scopes[scope] !== undefined);
  const settling = new Set<Promise<void>>();
  /** In this process: what is told again has the same id. */
  const told = new Set<string>();

  function accountOf(scope: BudgetScope, who: Payer): Account | undefined {
    const name = { ...who, gateway: "" }[scope];
    const limits = scopes[scope];
    if (name === undefined || limits === undefined) return undefined;
    const of = scope === "gateway" || scope === "tenant" ? [scope, name] : [scope, who.tenant, name];
    const digest = createHash("sha256").update(JSON.stringify(of)).digest("base64url").slice(0, 32);
    return { scope, limits, key: `budget:${scope}:${digest}` };
  }

  const accountsOf = (who: Payer): Account[] => counted.flatMap((scope) => accountOf(scope, who) ?? []);

  /** The month goes on from its latest day; a key ends with its day. */
  async function begin(key: string): Promise<BudgetDay> {
    const [, scope] = key.split(":");
    const limits = scopes[scope as BudgetScope];
    if (limits?.month === undefined) return days.newDay();
    const [day, account] = [key.slice(-10), key.slice(0, -11)];
    const found = await Promise.all(earlierInMonth(day).map((one) => records.get(`${account}:${one}`)));
    const latest = found.find((one) => one !== undefined);
    return days.newDay(latest && days.countedIn(days.readDay(latest.value), "month"));
  }

  /** Once for each account; where one refuses, none of the others keeps it. */
  async function enter(
    who: Payer,
    add: (day: BudgetDay, id: string) => BudgetDay,
    undo: (day: BudgetDay, id: string) => BudgetDay,
  ): Promise<{ readonly id: string; readonly keys: readonly string[] }> {
    const day = calendar.dayOf(clock.now());
    const id = randomUUID().slice(0, 13);
    const accounts = accountsOf(who);
    const entered = accounts.map(async (account) => {
      const key = `${account.key}:${day}`;
      const { ended, after } = await ledger.change(key, (before) => {
        const stops = days.endedIn(before, account.limits);
        const next = stops === undefined ? add(before, id) : before;
        return { day: next, result: { ended: stops, after: next } };
      });
      if (ended === undefined) tell(who, account, day, after);
      return { account, key, ended };
    });
    const results = await Promise.allSettled(entered);
    const all = results.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    const refusing = all.find(({ ended }) => ended !== undefined);
    const failed = results.find((one) => one.status === "rejected");
    if (refusing?.ended === undefined && failed === undefined) return { id, keys: all.map(({ key }) => key) };
    for (const { key, ended } of all) if (ended === undefined) later(key, (before) => undo(before, id));
    if (refusing?.ended === undefined) throw failed?.reason;
    const { account, ended: window } = refusing;
    const period = window === "day" ? day : monthOf(day);
    announceOnce(who, { account, window, period, kind: "ended" });
    throw new BudgetError({ scope: account.scope, window, period });
  }

  /** Off the caller's way. What cannot be written after some tries stays counted as it is: in full. */
  function later(key: string, change: (day: BudgetDay) => BudgetDay, done?: (day: BudgetDay) => void): void {
    const work = async () => {
      for (let tries = 1; ; tries += 1) {
        try {
          const next = (before: BudgetDay) => {
            const day = change(before);
            return { day, result: day };
          };
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

  /** Subscribers hear of a budget that comes near its end, and of its end. */
  function tell(who: Payer, account: Account, day: string, after: BudgetDay): void {
    for (const window of ["day", "month"] as const) {
      const limits = account.limits[window];
      const share = limits === undefined ? 0 : days.shareOf(days.countedIn(settledOf(after), window), limits);
      const period = window === "day" ? day : monthOf(day);
      if (share >= warnedFrom) announceOnce(who, { account, window, period, kind: share < 1 ? "warned" : "ended" });
    }
  }

  function announceOnce(who: Payer, fact: Told): void {
    const { account, window, period, kind } = fact;
    const id = `${account.key}:${period}:${kind}`;
    if (told.has(id)) return;
    if (told.size >= mostTold) told.clear();
    told.add(id);
    const { scope } = account;
    const words = kind === "ended" ? "a budget is used up: its calls are not made" : "a budget is nearly used up";
    log.warn({ scope, window, period, tenant: who.tenant, conversation: who.to?.conversation }, words);
    if (announce === undefined || who.to === undefined) return;
    const make = kind === "ended" ? budgetEnded : budgetWarned;
    const what: Announcement = make({ account: account.key, scope, window, period }, who.to, clock.now());
    announce([what]).catch((error: unknown) => {
      told.delete(id);
      log.warn({ reason: reasonOf(error) }, "subscribers could not be told of a budget yet");
    });
  }

  return {
    currency: settings.currency,
    counted,
    async reserve(who, { model, input, output = settings.outputTokens, seconds }) {
      const planned: CallUsage = { input, cached: 0, output, ...(seconds === undefined ? {} : { seconds }) };
      const amount = { tokens: input + output, money: costOf(prices, model, planned) };
      const { id, keys } = await enter(who, (day, of) => days.reserve(day, of, amount), days.release);
      const accounts = accountsOf(who);
      let settled = false;
      const charge: Charge = {
        planned,
        settle(used) {
          if (settled) return;
          settled = true;
          const money = costOf(prices, model, used);
          for (const key of keys) {
            const account = accounts.find((one) => key.startsWith(`${one.key}:`));
            const done = account && ((after: BudgetDay) => tell(who, account, key.slice(-10), after));
            later(key, (day) => days.settle(day, id, model, used, money), done);
          }
        },
      };
      return charge;
    },
    async count(who, tool) {
      const money = costOfTool(prices, tool);
      const name = `tool ${tool}`;
      // Reserved first, so that one that another account refuses can be taken back.
      const { id, keys } = await enter(who, (day, of) => days.reserve(day, of, { tokens: 0, money }), days.release);
      for (const key of keys) later(key, (day) => days.settle(day, id, name, none, money));
    },
    async used(scope, who, many) {
      const account = accountOf(scope, who);
      if (account === undefined) return [];
      const today = calendar.dayOf(clock.now());
      const wanted = Array.from({ length: many }, (_, n) => dayBefore(today, n));
      const found = await Promise.all(wanted.map((day) => records.get(`${account.key}:${day}`)));
      return found.flatMap((one, at) =>
        one === undefined ? [] : rowsOf(wanted[at] ?? today, days.readDay(one.value)),
      );
    },
    async standing(scope, who) {
      const account = accountOf(scope, who);
      if (account === undefined) return [];
      const key = `${account.key}:${calendar.dayOf(clock.now())}`;
      const found = await records.get(key);
      const day = found === undefined ? await begin(key) : days.readDay(found.value);
      return (["day", "month"] as const).flatMap((window) => {
        const limits = account.limits[window];
        if (limits === undefined && window === "month") return [];
        return [{ window, used: days.countedIn(day, window), limits: limits ?? {} }];
      });
    },
    async forget(who) {
      const today = calendar.dayOf(clock.now());
      const personal = who.flatMap((one) =>
        [accountOf("person", one) ?? [], accountOf("conversation", one) ?? []].flat(),
      );
      const keys = [...new Set(personal.map(({ key }) => key))];
      for (const key of keys) {
        const todays = `${key}:${today}`;
        // First: the month goes on from here, whatever is gone before it.
        await ledger.change(todays, (day) => ({ day: days.sumsOf(day), result: undefined }));
        const before = Array.from({ length: settings.keptDays }, (_, n) => `${key}:${dayBefore(today, n + 1)}`);
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

const none: CallUsage = { input: 0, cached: 0, output: 0 };

/** Without what may still come to less. */
function settledOf(day: BudgetDay): BudgetDay {
  return { ...day, open: {} };
}

function rowsOf(day: string, { of, spent, open }: BudgetDay): UsedRow[] {
  const rows: UsedRow[] = Object.entries(of).map(([name, used]) => ({ day, name, ...used }));
  const named = rows.reduce((sum, row) => sum + row.calls, 0);
  const left = Object.values(open);
  const tokens = spent.tokens - rows.reduce((sum, row) => sum + row.input + row.output, 0);
  const money = spent.money - rows.reduce((sum, row) => sum + row.money, 0);
  // Before what is forgotten there were others; tokens are not told apart any more.
  if (spent.calls - left.length > named)
    rows.push({
      day,
      name: "forgotten",
      calls: spent.calls - left.length - named,
      input: tokens,
      cached: 0,
      output: 0,
      money,
    });
  if (left.length > 0) {
    const reserved = left.reduce((sum, [one]) => sum + one, 0);
    const cost = left.reduce((sum, [, one]) => sum + one, 0);
    rows.push({ day, name: "not settled", calls: left.length, input: reserved, cached: 0, output: 0, money: cost });
  }
  return rows;
}
