/** Milliseconds before attempt n + 1: half a second doubling to fifteen, with jitter so that pages do not return at once. */
export const backoff = (attempt: number, random: () => number = Math.random): number =>
  Math.min(15_000, 500 * 2 ** Math.min(attempt, 5)) * (0.75 + random() * 0.5);
