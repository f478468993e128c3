/** What one used, in words for them. */
import type { Amount } from "./budget-day.ts";
import type { Standing } from "./budget-meter.ts";
import { billionths } from "./budget-prices.ts";
import type { BudgetWindow } from "./budgets.ts";
import { languageOf, type Language } from "./commands.ts";

type Words = Readonly<Record<BudgetWindow | "of" | "tokens" | "calls", string>>;

const words: Readonly<Record<Language, Words>> = {
  en: { day: "Today", month: "This month", of: "of", tokens: "tokens", calls: "calls" },
  de: { day: "Heute", month: "Diesen Monat", of: "von", tokens: "Tokens", calls: "Aufrufe" },
  es: { day: "Hoy", month: "Este mes", of: "de", tokens: "tokens", calls: "llamadas" },
};
const kinds = ["tokens", "money", "calls"] as const satisfies readonly (keyof Amount)[];

/** A line for each window; markdown. @param locale a BCP 47 tag. */
export function usageWords(standing: readonly Standing[], currency: string, locale: string | undefined): string {
  const language = languageOf(locale);
  const { of, tokens, calls, ...windows } = words[language];
  const units = { tokens, calls, money: currency };
  const numbers = new Intl.NumberFormat(language, { maximumFractionDigits: 4 });
  const numberOf = (kind: keyof Amount, value: number) => numbers.format(kind === "money" ? value / billionths : value);
  const lines = standing.map(({ window, used, limits }) => {
    // Money is of interest where it is bounded, or where anything has a price.
    const shown = kinds.filter((kind) => kind !== "money" || limits.money !== undefined || used.money > 0);
    const amounts = shown.map((kind) => {
      const limit = limits[kind];
      const bound = limit === undefined ? "" : ` ${of} ${numberOf(kind, limit)}`;
      return `${numberOf(kind, used[kind])}${bound} ${units[kind]}`;
    });
    return `${windows[window]}: ${amounts.join(", ")}.`;
  });
  return lines.join("\n\n");
}
