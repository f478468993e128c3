import type { BudgetScope } from "../../budgets.ts";
import { textTable } from "../../text-table.ts";
import { usageQuery, type UsageAmount, type UsageReport } from "../../usage.ts";
import { loadRunningConfig } from "../config.ts";
import { withOperations } from "./operations.ts";
import { printable } from "./printable.ts";

export interface UsageOptions {
  readonly scope?: BudgetScope;
  readonly of?: string;
  readonly days: number;
  readonly json?: true;
}

export async function usage({ json, ...asked }: UsageOptions): Promise<void> {
  const query = usageQuery.parse(asked);
  const report = await withOperations(await loadRunningConfig(), (operations) => operations.usage(query));
  process.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : wordsOf(report));
}

function wordsOf({ scope, currency, windows, rows }: UsageReport): string {
  const standing = windows.map(({ window, used, limits }) => {
    const kinds = (["tokens", "money", "calls"] as const).filter(
      (kind) => kind !== "money" || limits.money !== undefined || (used.money ?? 0) > 0,
    );
    const amounts = kinds.map((kind) => amountOf(used, limits, kind, kind === "money" ? currency : kind));
    return `${scope}, this ${window}: ${amounts.join(", ")}\n`;
  });
  if (rows.length === 0) return `${standing.join("")}Nothing was used.\n`;
  const head = ["day", "what", "calls", "input", "cached", "output", currency];
  const table = rows.map(({ day, name, calls, input, cached, output, money }) => [
    day,
    printable(name),
    ...[calls, input, cached, output, money].map(String),
  ]);
  return `${standing.join("")}\n${textTable([head, ...table])}\n`;
}

function amountOf(used: UsageAmount, limits: UsageAmount, kind: keyof UsageAmount, unit: string): string {
  const limit = limits[kind];
  return `${used[kind] ?? 0}${limit === undefined ? "" : ` of ${limit}`} ${unit}`;
}
