/**
 * Budgets: what calls of models and tools may come to, for whom, within a day and a month. A call is reserved before it is made and settled
 * after it; what is never settled counts in full.
 */
import { TerminalError } from "./errors.ts";
import { digestOf, type AgentId } from "./ids.ts";
import type { Address } from "./message.ts";

export const budgetScopes = ["person", "conversation", "account", "tenant", "gateway"] as const;
export type BudgetScope = (typeof budgetScopes)[number];

export const budgetWindows = ["day", "month"] as const;
export type BudgetWindow = (typeof budgetWindows)[number];

/** Who a call is made for. What is absent has no budget of its own: the call counts for the others. */
export interface Payer {
  readonly tenant: string;
  /** "channel/account" */
  readonly account?: string;
  /** Whose agent asks: a person with all linked channels, a group, or a caller by A2A. See {@link payerOf}. */
  readonly person?: string;
  readonly conversation?: string;
  /** The conversation that it comes of, for those who subscribed. */
  readonly to?: Address;
}

/** The one for whom this agent works there. Tasks that it gives to agents of this gateway are the same one's: see `callerOf`. */
export function payerOf(agent: AgentId, to: Address): Payer {
  const { tenant, channel, account, conversation } = to;
  return { tenant, account: `${channel}/${account}`, person: digestOf(agent), conversation, to };
}

export interface Tokens {
  /** All of the input, what was cached included. */
  readonly input: number;
  readonly cached: number;
  readonly output: number;
}

/** What a call used, as far as it is known. */
export interface CallUsage extends Tokens {
  /** Of a recording. */
  readonly seconds?: number;
}

export interface PlannedCall {
  /** As configured: `openai:gpt-5`. */
  readonly model: string;
  /** At most, as far as that can be known; `output` undefined: as long as the answer becomes. */
  readonly input: number;
  readonly output: number | undefined;
  readonly seconds?: number;
}

/** A call that may be made: settled or cancelled once; again changes nothing. */
export interface Charge {
  /** As planned, for whoever knows no better. */
  readonly planned: CallUsage;
  settle(used: CallUsage): void;
  /** It was not made, or nobody worked on it: as if it had never been reserved. */
  cancel(): void;
}

export interface Meter {
  /** @throws BudgetError where a budget has ended: then the call is not made. */
  reserve(payer: Payer, call: PlannedCall): Promise<Charge>;
  /** A call of a tool or of another agent, by its configured price. @throws BudgetError as {@link reserve} */
  count(payer: Payer, tool: string): Promise<void>;
}

/** A budget has ended: no more is done for this one until its next day, or month; see {@link BudgetError.reserved}. */
export class BudgetError extends TerminalError {
  override readonly name = "BudgetError";
  readonly scope: BudgetScope;
  readonly window: BudgetWindow;
  /** "2026-11-26", or "2026-11". */
  readonly period: string;
  /** What is left is reserved by calls under way, which may come to less: it may be asked for again soon. */
  readonly reserved: boolean;

  constructor(of: Pick<BudgetError, "scope" | "window" | "period"> & { readonly reserved?: boolean }) {
    super(`the budget of the ${of.scope} for ${of.period} is ${of.reserved === true ? "all reserved" : "used up"}`);
    this.scope = of.scope;
    this.window = of.window;
    this.period = of.period;
    this.reserved = of.reserved ?? false;
  }
}
