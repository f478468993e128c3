/** Who has to know that a budget comes to its end: the log, and those who subscribed. Each fact is told once by a process, under the same id by all. */
import { budgetEnded, budgetWarned, type Announce } from "./announce.ts";
import { monthOf } from "./budget-calendar.ts";
import { countedIn, settledOf, shareOf, type BudgetDay, type WindowLimits } from "./budget-day.ts";
import { budgetWindows, type BudgetScope, type BudgetWindow, type Payer } from "./budgets.ts";
import { reasonOf } from "./errors.ts";
import type { Clock, Log } from "./ports.ts";

/** One who has a budget. */
export interface BudgetAccount {
  readonly scope: BudgetScope;
  readonly limits: WindowLimits;
  /** Of its records, without the day. */
  readonly key: string;
}

interface Fact {
  readonly account: BudgetAccount;
  readonly window: BudgetWindow;
  readonly period: string;
  readonly kind: "warned" | "ended";
}

export interface News {
  tell(who: Payer, fact: Fact): void;
  /** Tells what is new of the account after a call was settled. */
  follow(who: Payer, account: BudgetAccount, day: string, after: BudgetDay): void;
}

interface NewsOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly announce: Announce | undefined;
}

const warnedFrom = 0.8;
const mostTold = 10_000;

export function createNews({ clock, log, announce }: NewsOptions): News {
  const told = new Set<string>();

  function isNews(id: string): boolean {
    if (told.has(id)) return false;
    if (told.size >= mostTold) told.clear();
    told.add(id);
    return true;
  }

  function tell(who: Payer, { account, window, period, kind }: Fact): void {
    const id = `${account.key}:${period}:${kind}`;
    const { scope } = account;
    const words = kind === "ended" ? "a budget is used up: its calls are not made" : "a budget is nearly used up";
    if (isNews(`log ${id}`))
      log.warn({ scope, window, period, tenant: who.tenant, conversation: who.to?.conversation }, words);
    // Subscribers are told of a conversation: a task has none, and its person's next call tells them.
    if (announce === undefined || who.to === undefined || !isNews(id)) return;
    const make = kind === "ended" ? budgetEnded : budgetWarned;
    const fact = make({ account: account.key, scope, window, period }, who.to, clock.now());
    announce([fact]).catch((error: unknown) => {
      told.delete(id);
      log.warn({ reason: reasonOf(error) }, "subscribers could not be told of a budget yet");
    });
  }

  return {
    tell,
    follow(who, account, day, after) {
      // Without what is reserved, which may come to less.
      const settled = settledOf(after);
      for (const window of budgetWindows) {
        const share = shareOf(countedIn(settled, window), account.limits[window] ?? {});
        const period = window === "day" ? day : monthOf(day);
        if (share >= warnedFrom) tell(who, { account, window, period, kind: share < 1 ? "warned" : "ended" });
      }
    },
  };
}
