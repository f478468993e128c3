/**
 * Whether a model is worth a request: one that failed again and again is left alone for a while, and then tried with one request.
 *
 * The libraries for this go by a clock of their own, have whoever comes meanwhile wait for the probe, and want the work as one promise:
 * here others ask another model, and the work may be a stream.
 */
import type { Clock } from "../../src/ports.ts";

export interface Breaker {
  /** It is asked as usual, or may be probed now. Changes nothing. */
  admits(): boolean;
  /** A request begins: of an open one, the probe. Followed by exactly one of the others. */
  begin(): void;
  /** @returns whether it was open until now. */
  succeeded(): boolean;
  /** @param weight 1: three in a row open it. @returns for how many milliseconds it is open now, where it is. */
  failed(weight: number, why: string): number | undefined;
  /** Nothing was learned: the request was called off. */
  left(): void;
  /** Why it is open. */
  readonly why: string | undefined;
}

const opensAt = 3;
const firstOpenMs = 30_000;
const mostOpenMs = 300_000;

export function createBreaker(clock: Clock): Breaker {
  let failures = 0;
  let openings = 0;
  let until = 0;
  let probing = false;
  let why: string | undefined;
  const isOpen = (): boolean => openings > 0;
  return {
    admits: () => !isOpen() || (!probing && clock.monotonic() >= until),
    begin() {
      if (isOpen()) probing = true;
    },
    succeeded() {
      const was = isOpen();
      failures = openings = 0;
      probing = false;
      why = undefined;
      return was;
    },
    failed(weight, reason) {
      probing = false;
      failures += weight;
      if (failures < opensAt) return undefined;
      why = reason;
      // Requests that were under way when it opened say nothing new.
      if (isOpen() && clock.monotonic() < until) return undefined;
      const openMs = Math.min(firstOpenMs * 2 ** openings, mostOpenMs);
      openings += 1;
      until = clock.monotonic() + openMs;
      return openMs;
    },
    left: () => void (probing = false),
    get why() {
      return why;
    },
  };
}
