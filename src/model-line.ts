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

/** For requests that are made at the same time: they stand in line as long as any of them does. @returns what makes each one's own. */
export function waitsTogether(onWait: ModelCaller["onWait"]): () => NonNullable<ModelCaller["onWait"]> {
  const standing = new Set<object>();
  return () => {
    const one = {};
    return (wait) => {
      if (wait === undefined) standing.delete(one);
      else standing.add(one);
      if (wait !== undefined || standing.size === 0) onWait?.(wait);
    };
  };
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
  /** It was not made, and counts no more. Instead of {@link Counted.settle}. */
  giveBack(): void;
}

/** What was asked of a provider within the last minute: by this process, or by all replicas. */
export interface RequestWindow {
  /** Counts a request of so many tokens where it fits; else the milliseconds until it may. */
  take(tokens: number): Counted | number | Promise<Counted | number>;
  /** Roughly when so many more requests, each of so many tokens, have fitted. */
  waitMs(requests: number, tokens: number): number;
}
