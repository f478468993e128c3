import type { Payer } from "./budgets.ts";

/**
 * Models have lines before them where their provider takes so much a minute and no more. Who asks one says whose request it is:
 * tenants take turns, and so do each one's conversations.
 */
export interface ModelCaller {
  readonly tenant: string;
  /** A conversation, or a task: its requests keep their order, and take turns with those of others. */
  readonly line: string;
  /** Who has the budget that its requests are counted in; the tenant alone unless given. */
  readonly payer?: Payer | undefined;
  /** Named in the log where another model is asked. */
  readonly turn?: string;
  /**
   * The request stands in line, again and again where that changes; undefined: it is being answered, or given up. Called for every
   * wait, however short.
   */
  readonly onWait?: ((wait: ModelWait | undefined) => void) | undefined;
}

export interface ModelWait {
  /** Until it is its turn, as it looks now. */
  readonly expectedMs: number;
}

/** What a provider takes in any minute; absent: as much as comes. */
export interface MinuteLimits {
  readonly requestsPerMinute?: number | undefined;
  readonly tokensPerMinute?: number | undefined;
}

/** A request that is counted. */
export interface Counted {
  /** It came to so many tokens, which were only estimated before. Called once at most. */
  settle(tokens: number): void;
}

/** What was asked of a provider within the last minute: by this process, or by all replicas. */
export interface RequestWindow {
  /** Counts a request of so many tokens where it fits; else the milliseconds until it may. */
  take(tokens: number): Counted | number | Promise<Counted | number>;
  /** Roughly when so many more requests, each of so many tokens, have fitted. */
  waitMs(requests: number, tokens: number): number;
}
