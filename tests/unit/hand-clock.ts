import type { Clock } from "../../src/ports.ts";

/** Stands still until time is let pass: minutes of it take no time at all. */
export interface HandClock extends Clock {
  /** Every timer in its order, and all that follows from it before the next one. */
  pass(ms: number): Promise<void>;
}

export function handClock(): HandClock {
  let now = 0;
  const timers = new Set<{ readonly at: number; readonly task: () => void }>();
  const settle = async () => {
    for (let n = 0; n < 30; n++) await Promise.resolve();
  };
  return {
    now: () => now,
    monotonic: () => now,
    after(ms, task) {
      const timer = { at: now + ms, task };
      timers.add(timer);
      return () => void timers.delete(timer);
    },
    async pass(ms) {
      const end = now + ms;
      await settle();
      for (;;) {
        const [next] = [...timers].filter(({ at }) => at <= end).toSorted((a, b) => a.at - b.at);
        if (next === undefined) break;
        timers.delete(next);
        now = Math.max(now, next.at);
        next.task();
        await settle();
      }
      now = end;
      await settle();
    },
  };
}
