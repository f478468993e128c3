/** Budgets and prices in ascent.yaml. */
import { z } from "zod";
import type { BudgetSettings } from "../budget-meter.ts";
import { billionths } from "../budget-prices.ts";
import { budgetScopes } from "../budgets.ts";

const countWords = "must be a whole number from 1 on";
const count = z.number(countWords).int(countWords).min(1, countWords).optional();
const moneyWords = "must be an amount above 0";
const priceWords = "must be a price: 0 or more";
const price = z.number(priceWords).min(0, priceWords);

const limits = z.strictObject({
  tokens: count,
  /** In units of the currency. */
  money: z.number(moneyWords).positive(moneyWords).max(1_000_000, "must be 1000000 at most").optional(),
  /** Of models, tools and other agents. */
  calls: count,
});
/** Of everyone of this kind, each; named with no limits it is counted and nothing more. */
const scope = z.strictObject({ day: limits.optional(), month: limits.optional() }).optional();

export const budgetsSettings = z.strictObject({
  person: scope,
  conversation: scope,
  account: scope,
  tenant: scope,
  gateway: scope,
  /** When days and months begin. */
  timeZone: z.string().refine(isTimeZone, "is no time zone: give one such as Europe/Berlin").default("UTC"),
  currency: z.string().min(1).max(8).default("USD"),
  /** Reserved for an answer of an agent without maxTokens. */
  outputTokens: z.number().int().positive().default(1_000),
  /** Days for which usage is kept. */
  keepDays: z.number().int().min(32, "must be 32 at least: a month's budget needs them").max(400).default(62),
});

export const pricesSettings = z.strictObject({
  models: z
    .record(
      z.string(),
      z.strictObject({
        input: price.default(0),
        cachedInput: price.optional(),
        output: price.default(0),
        request: price.default(0),
        minute: price.default(0),
      }),
    )
    .default({}),
  tools: z.record(z.string().min(1), price).default({}),
});

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions().timeZone !== "";
  } catch {
    return false;
  }
}

interface Given {
  readonly budgets: z.infer<typeof budgetsSettings>;
  readonly prices: z.infer<typeof pricesSettings>;
}

/** Undefined where nobody has a budget: then nothing is counted. */
export function budgetsOf({ budgets, prices }: Given): BudgetSettings | undefined {
  const scopes = Object.fromEntries(
    budgetScopes.flatMap((name) => {
      const own = budgets[name];
      return own === undefined ? [] : [[name, { day: inBillionths(own.day), month: inBillionths(own.month) }]];
    }),
  );
  if (Object.keys(scopes).length === 0) return undefined;
  const { timeZone, currency, outputTokens, keepDays } = budgets;
  return { timeZone, currency, outputTokens, keptDays: keepDays, scopes, prices };
}

function inBillionths(given: z.infer<typeof limits> | undefined) {
  if (given?.money === undefined) return given;
  return { ...given, money: Math.round(given.money * billionths) };
}
