import type { Clock } from "./ports.ts";

/** A time that stands still while somebody has to wait for what is not theirs. */
export interface TimeLimit {
  /** A second one changes nothing. */
  pause(): void;
  resume(): void;
  end(): void;
}

export function createTimeLimit(clock: Clock, ms: number, over: () => void): TimeLimit {
  let left = ms;
  let began = clock.monotonic();
  let ended = false;
  let cancel: (() => void) | undefined = clock.after(ms, over);
  return {
    pause() {
      if (cancel === undefined) return;
      cancel();
      cancel = undefined;
      left = Math.max(0, left - (clock.monotonic() - began));
    },
    resume() {
      if (ended || cancel !== undefined) return;
      began = clock.monotonic();
      cancel = clock.after(left, over);
    },
    end() {
      ended = true;
      cancel?.();
      cancel = undefined;
    },
  };
}
