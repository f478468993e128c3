import type { ContenderName } from "./contenders.ts";
import type { Figure } from "./figures.ts";
import type { Handicap } from "./handicap.ts";
import type { Session } from "./session.ts";

/** What a scenario is given. Its processes and folders are the session's, which is closed behind it. */
export interface Bench {
  readonly full: boolean;
  readonly session: Session;
  readonly handicap: Handicap;
  /** Who takes part where rivals do. */
  readonly contenders: readonly ContenderName[];
  /** Progress, for a person who waits. */
  say(line: string): void;
}

export interface Scenario {
  readonly name: string;
  /** Seconds after which it counts as broken. */
  readonly limit: { readonly quick: number; readonly full: number };
  run(bench: Bench): Promise<Figure[]>;
}
