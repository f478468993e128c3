/** When an agent's watchdog is armed. */
import { later, type Later } from "./later.ts";
import type { Reply } from "./events.ts";
import type { ActorContext, Bus, Clock } from "./ports.ts";

export const watchdog = { name: "watchdog", periodMs: 30_000 } as const;

/** How long the bus keeps an event in the hope that its turn is over by then. */
const holdMs = 250;

export interface Watch {
  /**
   * The bus keeps an event until its agent owes nothing any more or is watched: a process that dies before leaves it to the
   * bus. A quick turn so needs no reminder; a longer one is watched while it runs, and nothing waits for the arming but the bus.
   */
  kept(reply: Reply): Reply | Later;
  /** False where it could not be armed. */
  arm(): Promise<boolean>;
  /** Resolves when no arming is under way. */
  settled(): Promise<void>;
  isArmed(now?: boolean): boolean;
  /** Something is owed no more, perhaps. */
  rests(): void;
}

export interface WatchOptions {
  readonly context: Pick<ActorContext, "arm">;
  readonly bus: Pick<Bus, "isolated" | "ordered">;
  readonly clock: Clock;
  /** Something is owed that no bus holds and nobody else knows of. */
  readonly isOwed: () => boolean;
}

export function createWatch({ context, bus, clock, isOwed }: WatchOptions): Watch {
  const waiting = new Set<() => void>();
  let armed = false;
  let arming: Promise<boolean> | undefined;

  async function arm(): Promise<boolean> {
    if (armed) return true;
    arming ??= context.arm(watchdog).then((done) => {
      armed ||= done;
      arming = undefined;
      return done;
    });
    return arming;
  }

  async function restOr(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = clock.after(ms, resolve);
    waiting.add(resolve);
    await promise;
    waiting.delete(resolve);
    cancel();
  }

  async function keep(reply: Reply): Promise<Reply> {
    // A bus that hands out one event of a subject, or of a partition, at a time is not kept waiting.
    if (bus.isolated && !bus.ordered) await restOr(holdMs);
    return !isOwed() || (await arm()) ? reply : "unwatched";
  }

  return {
    kept: (reply) => (armed || !isOwed() ? reply : later(keep(reply))),
    arm,
    async settled() {
      await arming;
    },
    isArmed(now = armed) {
      armed = now;
      return armed;
    },
    rests() {
      if (waiting.size > 0 && !isOwed()) for (const wake of waiting) wake();
    },
  };
}
