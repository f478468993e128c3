/**
 * The line before one provider: one vendor at one address with one key. What passes keeps to what the provider takes in a minute and at
 * once, and to what it says itself; who waits takes turns. Where nothing is set and nothing is wrong there is no line.
 */
import type { Counted, ModelCaller, RequestWindow } from "../../src/model-line.ts";
import type { Clock } from "../../src/ports.ts";
import { createFairLine } from "./line.ts";

export interface Entry {
  readonly caller: ModelCaller;
  /** As estimated. */
  readonly tokens: number;
  /** The provider has just refused this request: its turn is next. */
  readonly again: boolean;
  /** It waits no longer than this: {@link LineTooLongError}, and at once where that is known. */
  readonly mostMs: number;
}

/** A request that may be made. Ended, or given back, exactly once. */
export interface Lease {
  /** @param answered the provider took it. `tokens`: what it came to, where that is known. */
  end(answered: boolean, tokens?: number): void;
  /** It was not made: its place is another's. */
  giveBack(): void;
}

/** Its turn would come too late, or did not come in time. */
export class LineTooLongError extends Error {
  override readonly name = "LineTooLongError";
  readonly expectedMs: number;

  constructor(expectedMs: number) {
    super(`it would wait ${Math.ceil(expectedMs / 1_000)} s in line`);
    this.expectedMs = expectedMs;
  }
}

export interface Gate {
  /** Until a request's turn would come, as it looks now: 0 where it may be made at once. */
  waitMs(caller: ModelCaller, tokens: number): number;
  /** Until the provider, which refused a request, is asked again: 0 where it is not so. */
  pausedMs(): number;
  /** At once where nothing stands in the way. Rejects with the signal's reason or a LineTooLongError, and has left the line then. */
  enter(of: Entry, signal: AbortSignal | undefined): Lease | Promise<Lease>;
  /** The provider has refused a request, and answers none for so long; undefined: it did not say how long. */
  pause(ms: number | undefined): void;
  /** The provider has nothing left for so long. */
  rest(ms: number): void;
}

export interface GateOptions {
  readonly clock: Clock;
  /** Undefined: nothing is counted. */
  readonly window: RequestWindow | undefined;
  /** Requests at once. */
  readonly concurrency?: number | undefined;
}

interface Waiting {
  readonly tenant: string;
  readonly line: string;
  readonly tokens: number;
  readonly until: number;
  readonly onWait: ModelCaller["onWait"];
  readonly go: (lease: Lease) => void;
  readonly leave: (error: Error) => void;
}

/** A provider that does not say how long is asked again after this, and after twice as long each time. */
const firstPauseMs = 1_000;
const mostPauseMs = 60_000;
/** Of what a provider says itself; a little is added, since what comes a moment too early is refused. */
const longestPauseMs = 3_600_000;
const marginMs = 100;
/** After a refusal requests go out one by one, then more and more at once; from so many on nothing is held back. */
const carefulUntil = 64;

export function createGate({ clock, window, concurrency = Infinity }: GateOptions): Gate {
  const line = createFairLine<Waiting>();
  let active = 0;
  /** Requests at once, after a refusal. */
  let careful = Infinity;
  let refusals = 0;
  let pausedUntil = 0;
  let pumping = false;
  let wake: (() => void) | undefined;
  /** Of a request, for estimates. */
  let usualMs = 0;

  const most = (): number => Math.min(concurrency, careful);
  const pausedMs = (): number => Math.max(0, pausedUntil - clock.monotonic());

  function waitMs(caller: ModelCaller, tokens: number): number {
    const place = line.ahead(caller) + 1;
    const counted = window?.waitMs(place, tokens) ?? 0;
    const over = place + active - most();
    const busy = over > 0 ? (over / most()) * usualMs : 0;
    return Math.max(pausedMs(), counted, busy);
  }

  function leaseOf(counted: Counted | undefined): Lease {
    active += 1;
    const began = clock.monotonic();
    let ended = false;
    const over = (tell: () => void): void => {
      if (ended) return;
      ended = true;
      active -= 1;
      tell();
      pump();
    };
    return {
      end: (answered, tokens) =>
        over(() => {
          if (tokens !== undefined) counted?.settle(tokens);
          if (!answered) return;
          usualMs += (clock.monotonic() - began - usualMs) / (usualMs === 0 ? 1 : 8);
          refusals = 0;
          if (careful !== Infinity) careful = careful * 2 > carefulUntil ? Infinity : careful * 2;
        }),
      giveBack: () => over(() => counted?.giveBack()),
    };
  }

  /** Lets out whose turn it is, until something stands in the way. */
  function pump(): void {
    if (pumping) return;
    wake?.();
    wake = undefined;
    for (let next; (next = line.next()) !== undefined;) {
      if (pausedMs() > 0) return wakeIn(pausedMs());
      if (active >= most()) return;
      const taken = window?.take(next.tokens);
      if (taken instanceof Promise) return void counting(taken);
      if (typeof taken === "number") return wakeIn(taken);
      line.shift()?.go(leaseOf(taken));
    }
  }

  /** Counted elsewhere: who is next may have changed meanwhile. */
  async function counting(asked: Promise<Counted | number>): Promise<void> {
    pumping = true;
    const taken = await asked.finally(() => (pumping = false));
    if (typeof taken === "number") return line.next() === undefined ? undefined : wakeIn(taken);
    const next = line.shift();
    if (next === undefined) return taken.giveBack();
    next.go(leaseOf(taken));
    pump();
  }

  function wakeIn(ms: number): void {
    wake?.();
    wake = clock.after(ms, () => {
      wake = undefined;
      pump();
    });
  }

  /** Where nobody waits and nothing stands in the way. */
  function atOnce(tokens: number): Lease | undefined {
    if (active >= most() || pumping || line.next() !== undefined || pausedMs() > 0) return undefined;
    if (window === undefined) return leaseOf(undefined);
    const taken = window.take(tokens);
    if (taken instanceof Promise) {
      void counting(taken);
      return undefined;
    }
    return typeof taken === "number" ? undefined : leaseOf(taken);
  }

  function stand({ caller, tokens, again, mostMs }: Entry, expectedMs: number, signal: AbortSignal | undefined) {
    const { promise, resolve, reject } = Promise.withResolvers<Lease>();
    const over = (): void => {
      stopTimer();
      signal?.removeEventListener("abort", abort);
      onWait?.(undefined);
    };
    const leave = (error: Error): void => {
      line.delete(waiting);
      over();
      reject(error);
      pump();
    };
    const { tenant, line: name, onWait } = caller;
    const waiting: Waiting = {
      tenant,
      line: name,
      tokens,
      until: clock.monotonic() + mostMs,
      onWait,
      leave,
      go(lease) {
        over();
        resolve(lease);
      },
    };
    const abort = (): void => leave(signal?.reason instanceof Error ? signal.reason : new Error("aborted"));
    const stopTimer = clock.after(mostMs, () => leave(new LineTooLongError(mostMs)));
    signal?.addEventListener("abort", abort, { once: true });
    if (again) line.addAgain(waiting);
    else line.add(waiting);
    onWait?.({ expectedMs });
    pump();
    return promise;
  }

  /** Who could not be answered in time any more leaves. */
  function holdUntil(until: number): void {
    if (until <= pausedUntil) return;
    pausedUntil = until;
    const expectedMs = until - clock.monotonic();
    for (const waiting of line.items()) {
      if (waiting.until < until) waiting.leave(new LineTooLongError(expectedMs));
      else waiting.onWait?.({ expectedMs });
    }
    pump();
  }

  return {
    waitMs,
    pausedMs,
    enter(of, signal) {
      signal?.throwIfAborted();
      const lease = atOnce(of.tokens);
      if (lease !== undefined) return lease;
      const expectedMs = of.again ? pausedMs() : waitMs(of.caller, of.tokens);
      if (expectedMs > of.mostMs) return Promise.reject(new LineTooLongError(expectedMs));
      return stand(of, expectedMs, signal);
    },
    pause(ms) {
      const now = clock.monotonic();
      const backoffMs = Math.min(firstPauseMs * 2 ** refusals, mostPauseMs);
      // Requests that were under way together are refused together.
      if (pausedUntil <= now) refusals += 1;
      careful = 1;
      holdUntil(now + (ms === undefined ? backoffMs : Math.min(ms + marginMs, longestPauseMs)));
    },
    rest(ms) {
      if (ms > 0) holdUntil(clock.monotonic() + Math.min(ms, mostPauseMs));
    },
  };
}
