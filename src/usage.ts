/** What operators ask of budgets: who used what, on which day, by which model. */
import { z } from "zod";
import type { Budgets } from "./budget-meter.ts";
import { billionths } from "./budget-prices.ts";
import { budgetScopes, type BudgetScope, type BudgetWindow, type Payer } from "./budgets.ts";
import type { Channel } from "./channel.ts";
import { InputError } from "./errors.ts";
import { agentIdOf, digestOf, encodePart, participantId, tenantOf, type ConversationId } from "./ids.ts";

export const usageQuery = z.object({
  /** Unless given: the operator's tenant, or the widest one that is counted. */
  scope: z.enum(budgetScopes).optional(),
  /** "channel/account/user", a conversation's id, "channel/account", a tenant. */
  of: z.string().max(2_000).optional(),
  /** The last ones, today included. */
  days: z.number().int().min(1).max(400).default(7),
});
export type UsageQuery = z.infer<typeof usageQuery>;

/** Money in units of the currency. */
export interface UsageAmount {
  readonly tokens?: number | undefined;
  readonly money?: number | undefined;
  readonly calls?: number | undefined;
}
export interface UsageReport {
  readonly scope: BudgetScope;
  readonly currency: string;
  readonly windows: readonly {
    readonly window: BudgetWindow;
    readonly used: UsageAmount;
    readonly limits: UsageAmount;
  }[];
  readonly rows: readonly {
    readonly day: string;
    /** A model as configured, "tool " and its name, or what is not told apart. */
    readonly name: string;
    readonly calls: number;
    readonly input: number;
    readonly cached: number;
    readonly output: number;
    readonly money: number;
  }[];
}

/** @param channels what the operator has to do with. @throws InputError that says what to ask instead. */
export async function usageOf(
  budgets: Budgets | undefined,
  { scope: wanted, of, days }: UsageQuery,
  tenant: string | undefined,
  channels: readonly Channel[],
): Promise<UsageReport> {
  if (budgets === undefined)
    throw new InputError("nothing is counted: name whom to count under `budgets` in ascent.yaml", { status: 409 });
  const usual = tenant === undefined && of === undefined ? budgets.counted.at(-1) : "tenant";
  const scope = wanted ?? usual ?? "gateway";
  if (!budgets.counted.includes(scope)) {
    const known = budgets.counted.join(", ");
    throw new InputError(`no ${scope} is counted: there is no budgets.${scope}; counted are ${known}`, { status: 409 });
  }
  const payer = payerFor(scope, of, tenant, channels);
  const [rows, standing] = await Promise.all([budgets.used(scope, payer, days), budgets.standing(scope, payer)]);
  const units = ({ money, ...rest }: UsageAmount) => ({
    ...rest,
    ...(money !== undefined && { money: money / billionths }),
  });
  return {
    scope,
    currency: budgets.currency,
    windows: standing.map(({ window, used, limits }) => ({ window, used: units(used), limits: units(limits) })),
    rows: rows.map((row) => ({ ...row, money: row.money / billionths })),
  };
}

function payerFor(
  scope: BudgetScope,
  of: string | undefined,
  tenant: string | undefined,
  channels: readonly Channel[],
): Payer {
  if (scope === "gateway") {
    if (tenant === undefined) return { tenant: "" };
    throw new InputError("the gateway is not yours alone: ask for your tenant", { status: 404 });
  }
  if (scope === "tenant") {
    if (of !== undefined && tenant !== undefined && of !== tenant) throw unknown(scope, of);
    return { tenant: of ?? tenant ?? channels[0]?.tenant ?? "default" };
  }
  if (of === undefined) throw new InputError(`say which ${scope}: "of" is ${forms[scope]}`);
  if (scope === "conversation") {
    const whose = channels.find((one) => encodePart(one.tenant) === tenantOf(of));
    if (whose === undefined) throw unknown(scope, of);
    return { tenant: whose.tenant, conversation: of };
  }
  const [, channel, name, user] = /^([^/]+)\/([^/]+)(?:\/([^]+))?$/.exec(of) ?? [];
  const account = channels.find((one) => one.channel === channel && one.account === name);
  if (account === undefined) throw unknown(scope, of);
  if (scope === "account") return { tenant: account.tenant, account: `${account.channel}/${account.account}` };
  if (user === undefined) throw new InputError(`a person is ${forms.person}`);
  const agent = agentIdOf("direct", participantId(account, user), "" as ConversationId);
  return { tenant: account.tenant, person: digestOf(agent) };
}

const forms = {
  person: "channel/account/user, such as telegram/main/7200001",
  conversation: "its id",
  account: "channel/account, such as telegram/main",
} as const;

function unknown(scope: BudgetScope, of: string): InputError {
  return new InputError(`there is no ${scope} "${of.slice(0, 200)}"`, { status: 404 });
}
