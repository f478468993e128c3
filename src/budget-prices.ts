/** What calls cost. Money is counted in whole billionths of the currency's unit, so that sums are exact. */
import type { CallUsage } from "./budgets.ts";
import { matchesName } from "./tool-policy.ts";

export const billionths = 1_000_000_000;

/** Per million tokens, in units of the currency; per request and per minute of a recording where the provider counts those. */
export interface ModelPrice {
  readonly input: number;
  /** Of input that the provider had cached; that of other input unless given. */
  readonly cachedInput?: number | undefined;
  readonly output: number;
  readonly request: number;
  readonly minute: number;
}

export interface Prices {
  /** By their specs. */
  readonly models: Readonly<Record<string, ModelPrice>>;
  /** Of one call, by the tool's name; "*" stands for any characters. The first that fits counts. */
  readonly tools: Readonly<Record<string, number>>;
}

/** Nothing where the model has no price. */
export function costOf({ models }: Prices, model: string, used: CallUsage): number {
  const price = models[model];
  if (price === undefined) return 0;
  const { input, cachedInput = input, output, request, minute } = price;
  const cached = Math.min(used.cached, used.input);
  const perMillion = (used.input - cached) * input + cached * cachedInput + used.output * output;
  return Math.round(perMillion * 1_000 + (request + ((used.seconds ?? 0) / 60) * minute) * billionths);
}

export function costOfTool({ tools }: Prices, name: string): number {
  const [, price = 0] = Object.entries(tools).find(([pattern]) => matchesName(pattern, name)) ?? [];
  return Math.round(price * billionths);
}
