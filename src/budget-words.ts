/** What one used, in words for them. */
import type { Amount } from "./budget-day.ts";
import type { Standing } from "./budget-meter.ts";
import { billionths } from "./budget-prices.ts";
import { languageOf } from "./commands.ts";
import { noticeText } from "./notices.ts";

const kinds = ["tokens", "money", "calls"] as const satisfies readonly (keyof Amount)[];

/** A line for each window; markdown. @param locale a BCP 47 tag. */
export function usageWords(standing: readonly Standing[], currency: string, locale: string | undefined): string {
  if (standing.length === 0) return noticeText("usageNone", locale);
  const numbers = new Intl.NumberFormat(languageOf(locale), { maximumFractionDigits: 4 });
  const words = {
    tokens: noticeText("usageTokens", locale),
    money: currency,
    calls: noticeText("usageCalls", locale),
  };
  const lines = standing.map(({ window, used, limits }) => {
    // Money is of interest where it is bounded, or where anything has a price.
    const shown = kinds.filter((kind) => kind !== "money" || limits.money !== undefined || used.money > 0);
    const amounts = shown.map((kind) => {
      const amount = numbers.format(inUnits(kind, used[kind]));
      const limit = limits[kind];
      const what = words[kind];
      if (limit === undefined) return noticeText("usageAmount", locale, { amount, what });
      return noticeText("usageAmountOf", locale, { amount, limit: numbers.format(inUnits(kind, limit)), what });
    });
    return noticeText(window === "day" ? "usageDay" : "usageMonth", locale, { used: amounts.join(", ") });
  });
  return lines.join("\n\n");
}

function inUnits(kind: keyof Amount, value: number): number {
  return kind === "money" ? value / billionths : value;
}
