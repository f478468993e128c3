/** What one who has a budget used on one day: pure arithmetic. */
import { z } from "zod";
import type { BudgetWindow, CallUsage } from "./budgets.ts";

const amount = z.object({
  tokens: z.number(),
  /** In billionths: see `budget-prices.ts`. */
  money: z.number(),
  calls: z.number(),
});
export type Amount = Readonly<z.infer<typeof amount>>;

const used = z.object({
  calls: z.number(),
  input: z.number(),
  cached: z.number(),
  output: z.number(),
  money: z.number(),
});
type Used = Readonly<z.infer<typeof used>>;

const budgetDay = z.object({
  v: z.literal(1),
  /** Settled; calls count from their reservation on. */
  spent: amount,
  /** On the days of the month before this one, with what was reserved and not settled when this one began. */
  before: amount,
  /** Reserved and not settled, by the reservation's id: tokens and money. */
  open: z.record(z.string(), z.tuple([z.number(), z.number()])),
  /** By model, and by tool. */
  of: z.record(z.string(), used),
});
export type BudgetDay = Readonly<z.infer<typeof budgetDay>>;

/** Absent: no bound. Money in billionths. */
export type Limits = { readonly [Kind in keyof Amount]?: number | undefined };
export type WindowLimits = { readonly [Window in BudgetWindow]?: Limits | undefined };

const nothing: Amount = { tokens: 0, money: 0, calls: 0 };
/** Names that are told apart; what is more is one. */
const mostNames = 100;
const others = "other";

export function newDay(before: Amount = nothing): BudgetDay {
  return { v: 1, spent: nothing, before, open: {}, of: {} };
}

/** @throws ZodError for a row that no version wrote. */
export function readDay(row: unknown): BudgetDay {
  return budgetDay.parse(row);
}

/** What counts: what is settled, and what may come of the rest. */
export function countedOf({ spent, open }: BudgetDay): Amount {
  const all = Object.values(open);
  const tokens = all.reduce((sum, [of]) => sum + of, spent.tokens);
  const money = all.reduce((sum, [, of]) => sum + of, spent.money);
  return { tokens, money, calls: spent.calls };
}

export function countedIn(day: BudgetDay, window: BudgetWindow): Amount {
  const counted = countedOf(day);
  return window === "day" ? counted : plus(day.before, counted);
}

/** How much of the tightest of its limits is used: 1 and more where it has ended; 0 without limits. */
export function shareOf(counted: Amount, limits: Limits): number {
  const kinds = Object.keys(nothing) as (keyof Amount)[];
  return Math.max(0, ...kinds.map((kind) => (limits[kind] === undefined ? 0 : counted[kind] / limits[kind])));
}

/** As it is once nothing comes of all that is reserved. */
export function settledOf(day: BudgetDay): BudgetDay {
  return { ...day, open: {} };
}

/** The window in which nothing more may begin. */
export function endedIn(day: BudgetDay, limits: WindowLimits): BudgetWindow | undefined {
  // Who waits for the month need not come back tomorrow.
  return (["month", "day"] as const).find((window) => {
    const of = limits[window];
    return of !== undefined && shareOf(countedIn(day, window), of) >= 1;
  });
}

export function reserve(day: BudgetDay, id: string, { tokens, money }: Omit<Amount, "calls">): BudgetDay {
  const spent = { ...day.spent, calls: day.spent.calls + 1 };
  return { ...day, spent, open: { ...day.open, [id]: [tokens, money] } };
}

/** The call was not made. */
export function release(day: BudgetDay, id: string): BudgetDay {
  if (day.open[id] === undefined) return day;
  return { ...day, spent: { ...day.spent, calls: day.spent.calls - 1 }, open: without(day.open, id) };
}

/** Changes nothing where it is settled already. */
export function settle(day: BudgetDay, id: string, name: string, tokens: CallUsage, money: number): BudgetDay {
  if (day.open[id] === undefined) return day;
  const { spent } = day;
  const sum = { ...spent, tokens: spent.tokens + tokens.input + tokens.output, money: spent.money + money };
  return { ...day, spent: sum, open: without(day.open, id), of: noted(day.of, name, usedOf(tokens, money)) };
}

/** The sums alone: what bounds the rest of the day and the month, and tells nothing of what was done. The same where there is nothing. */
export function sumsOf(day: BudgetDay): BudgetDay {
  const isEmpty = Object.keys(day.of).length === 0 && day.before.calls === 0;
  return isEmpty ? day : { ...day, of: {} };
}

/** What was used: by model and tool, and what is not told apart. */
export interface UsedRow extends Used {
  readonly name: string;
}

export function rowsOf({ of, spent, open }: BudgetDay): UsedRow[] {
  const rows: UsedRow[] = Object.entries(of).map(([name, one]) => ({ name, ...one }));
  const left = Object.values(open);
  const all = rows.reduce(
    (sum, row) => plus(sum, { tokens: row.input + row.output, money: row.money, calls: row.calls }),
    nothing,
  );
  const forgotten = spent.calls - left.length - all.calls;
  // Of what is forgotten the sums are left.
  if (forgotten > 0) rows.push(rowOf("forgotten", forgotten, spent.tokens - all.tokens, spent.money - all.money));
  const [tokens, money] = left.reduce(([a, b], [c, d]) => [a + c, b + d], [0, 0]);
  if (left.length > 0) rows.push(rowOf("not settled", left.length, tokens, money));
  return rows;
}

function rowOf(name: string, calls: number, tokens: number, money: number): UsedRow {
  return { name, calls, input: tokens, cached: 0, output: 0, money };
}

function plus(a: Amount, b: Amount): Amount {
  return { tokens: a.tokens + b.tokens, money: a.money + b.money, calls: a.calls + b.calls };
}

function usedOf({ input, cached, output }: CallUsage, money: number): Used {
  return { calls: 1, input, cached, output, money };
}

function noted(of: BudgetDay["of"], wanted: string, more: Used): BudgetDay["of"] {
  const known = Object.hasOwn(of, wanted);
  const name = known || (Object.keys(of).length < mostNames && wanted !== "__proto__") ? wanted : others;
  const before = Object.hasOwn(of, name) ? of[name] : undefined;
  if (before === undefined) return { ...of, [name]: more };
  const { calls, input, cached, output, money } = before;
  const sum = {
    calls: calls + more.calls,
    input: input + more.input,
    cached: cached + more.cached,
    output: output + more.output,
    money: money + more.money,
  };
  return { ...of, [name]: sum };
}

function without<Value>(all: Readonly<Record<string, Value>>, id: string): Record<string, Value> {
  const { [id]: _gone, ...rest } = all;
  return rest;
}
