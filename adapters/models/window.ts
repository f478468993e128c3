import type { MinuteLimits, RequestWindow } from "../../src/model-line.ts";
import type { Clock } from "../../src/ports.ts";

/** A little more than a minute: what is sent evenly does not arrive evenly. */
export const windowMs = 61_000;

interface Entry {
  readonly at: number;
  tokens: number;
}

/**
 * The exact times of this process's requests. A bucket that fills evenly would let twice as many through within a minute, all that
 * it holds and then what it is filled with.
 */
export function createWindow(limits: MinuteLimits, clock: Clock): RequestWindow {
  const { requestsPerMinute: most = Infinity, tokensPerMinute: mostTokens = Infinity } = limits;
  /** Oldest first. */
  let entries: Entry[] = [];
  let tokensIn = 0;

  function forget(now: number): void {
    let gone = 0;
    for (let entry; (entry = entries[gone]) !== undefined && entry.at <= now - windowMs; gone++)
      tokensIn -= entry.tokens;
    if (gone > 0) entries = entries.slice(gone);
  }

  /** More than the whole minute's counts as all of it, so that it is sent at all. */
  const bounded = (tokens: number): number => Math.min(tokens, mostTokens);

  /** Until the oldest are gone that stand in the way. */
  function untilFits(tokens: number, now: number): number {
    let over = tokensIn + tokens - mostTokens;
    let at = entries.length - most;
    for (let n = 0; over > 0 && n < entries.length; n++) {
      over -= entries[n]?.tokens ?? 0;
      at = Math.max(at, n);
    }
    const last = entries[Math.min(at, entries.length - 1)];
    return last === undefined ? 0 : Math.max(1, last.at + windowMs - now);
  }

  return {
    take(asked) {
      const now = clock.monotonic();
      forget(now);
      const tokens = bounded(asked);
      if (entries.length >= most || tokensIn + tokens > mostTokens) return untilFits(tokens, now);
      const entry: Entry = { at: now, tokens };
      entries.push(entry);
      tokensIn += tokens;
      return {
        settle(used) {
          // What is over is not counted any more, or is taken off as it was counted.
          if (entry.at <= clock.monotonic() - windowMs) return;
          tokensIn += used - entry.tokens;
          entry.tokens = used;
        },
        giveBack() {
          const at = entries.indexOf(entry);
          if (at < 0) return;
          entries.splice(at, 1);
          tokensIn -= entry.tokens;
        },
      };
    },
    waitMs(requests, tokens) {
      const now = clock.monotonic();
      forget(now);
      return Math.max(byRequests(requests, now), byTokens(requests * bounded(tokens)));
    },
  };

  /** Every place comes free again a minute after it was taken. */
  function byRequests(requests: number, now: number): number {
    const over = requests - (most - entries.length);
    if (over <= 0) return 0;
    const rounds = Math.floor((over - 1) / most);
    const entry = entries[(over - 1) % most];
    return (entry === undefined ? windowMs : entry.at + windowMs - now) + rounds * windowMs;
  }

  function byTokens(tokens: number): number {
    const over = tokensIn + tokens - mostTokens;
    return over <= 0 ? 0 : (over / mostTokens) * windowMs;
  }
}
