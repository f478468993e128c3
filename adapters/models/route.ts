/**
 * The way of one run's requests to a model: through the line of its provider, to the first of an ordered list that can be had.
 *
 * - a run keeps the model that answered it, unless that fails;
 * - a model that fails in any way that another may not is left for the next of the list; a request that the server does not take, or
 *   whose content it refuses, is refused by all;
 * - a refusal for now (429) is no failure: the line stands still, and the request has its turn first, unless another model answers sooner.
 */
import type { Model, ModelRequest, ModelResponse, StreamEvent } from "@openai/agents";
import {
  BusyError,
  RateLimitedError,
  reasonOf,
  RetryableError,
  TerminalError,
  UnacceptableError,
} from "../../src/errors.ts";
import type { ModelCaller } from "../../src/model-line.ts";
import type { Clock, Log } from "../../src/ports.ts";
import type { Breaker } from "./breaker.ts";
import { TooLongError, UnavailableError } from "./failures.ts";
import { LineTooLongError, type Gate, type Lease } from "./gate.ts";
import type { GuardedModel } from "./guard.ts";
import { estimateTokens, withoutMarks } from "./request.ts";

/** One model of a list. */
export interface Candidate {
  readonly spec: string;
  readonly model: GuardedModel;
  readonly gate: Gate;
  readonly breaker: Breaker;
  /** Its provider counts tokens. */
  readonly countsTokens: boolean;
}

export interface RouteOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Further tries of one model after failures that may pass. */
  readonly retries: number;
  /** A request waits no longer than this in lines. */
  readonly waitMs: number;
  /** Where another model is to be had sooner, no longer than this. */
  readonly fallbackMs: number;
}

const firstPauseMs = 500;
const mostPauseMs = 8_000;
/** A server's own wish is granted up to this. */
const longestRetryMs = 60_000;
/** A request that is refused so often is not refused for what others ask. */
const mostRefusals = 6;

/** For the requests of one run, one after the other. */
export function routed(
  candidates: readonly [Candidate, ...Candidate[]],
  options: RouteOptions,
  caller: ModelCaller,
): Model {
  const run: Run = { current: undefined, asked: candidates[0], answered: new Set() };
  const begin = (request: ModelRequest) => createSearch(candidates, options, caller, run, request);

  async function getResponse(request: ModelRequest): Promise<ModelResponse> {
    const search = begin(request);
    for (;;) {
      const { model, asked, tries } = await search.next();
      try {
        const response = await model.getResponse(asked, tries);
        search.answered(response.usage);
        return response;
      } catch (error) {
        await search.failed(error);
      }
    }
  }

  /** A model that is asked instead of one that broke off begins its answer anew, with a `response_started` of its own. */
  async function* getStreamedResponse(request: ModelRequest): AsyncIterable<StreamEvent> {
    const search = begin(request);
    try {
      for (;;) {
        const { model, asked, tries } = await search.next();
        try {
          for await (const event of model.getStreamedResponse(asked, tries)) {
            if (event.type === "response_done") search.answered(event.response.usage);
            yield event;
          }
          return;
        } catch (error) {
          await search.failed(error);
        }
      }
    } finally {
      search.left();
    }
  }

  return { getResponse, getStreamedResponse };
}

interface Run {
  /** Answered last. */
  current: Candidate | undefined;
  /** Asked last, for the log. */
  asked: Candidate;
  /** Whoever wrote what is in the requests by now. */
  readonly answered: Set<Candidate>;
}

interface Attempt {
  readonly model: GuardedModel;
  readonly asked: ModelRequest;
  readonly tries: number;
}

/** One request's way to an answer. After every `next` comes exactly one of the others. */
interface Search {
  /** @throws what is left to say when nobody is. */
  next(): Promise<Attempt>;
  answered(usage: { readonly totalTokens: number }): void;
  /** @throws the error where no other try helps. */
  failed(error: unknown): Promise<void>;
  /** Nobody wants the answer any more. */
  left(): void;
}

function createSearch(
  candidates: readonly [Candidate, ...Candidate[]],
  { clock, log, retries, waitMs, fallbackMs }: RouteOptions,
  caller: ModelCaller,
  run: Run,
  request: ModelRequest,
): Search {
  const { signal } = request;
  const until = clock.monotonic() + waitMs;
  const leftMs = (): number => Math.max(0, until - clock.monotonic());
  /** Why a model is not asked, or not any more. */
  const reasons = new Map<Candidate, string>();
  const failed = new Set<Candidate>();
  const slow = new Set<Candidate>();
  let attempt: { readonly of: Candidate; readonly lease: Lease } | undefined;
  let again: { readonly of: Candidate; readonly refused: boolean } | undefined;
  let tries = 0;
  let refusals = 0;
  let faults = 0;
  let last: unknown;
  const several = candidates.length > 1;
  let tokens: number | undefined;
  const tokensFor = (of: Candidate): number => (of.countsTokens ? (tokens ??= estimateTokens(request)) : 0);

  /** The first in order whose turn comes soon, else the one whose turn comes first. */
  function choose(): { readonly of: Candidate; readonly mostMs: number } | undefined {
    const [only] = candidates;
    if (!several) return failed.has(only) ? undefined : { of: only, mostMs: leftMs() };
    const { current } = run;
    const order = current === undefined ? candidates : [current, ...candidates.filter((one) => one !== current)];
    const open = order.filter((one) => !failed.has(one));
    const working = open.filter(works);
    for (const one of open) if (!working.includes(one)) reasons.set(one, one.breaker.why ?? "it is being tried");
    let best: { readonly of: Candidate; readonly ms: number } | undefined;
    for (const one of working.length > 0 ? working : open) {
      const ms = one.gate.waitMs(caller, tokensFor(one));
      const soon = one === current ? leftMs() : fallbackMs;
      if (ms <= soon && !slow.has(one)) return { of: one, mostMs: Math.min(leftMs(), Math.max(soon, ms) * 2) };
      reasons.set(one, `its turn would come in ${Math.ceil(ms / 1_000)} s`);
      if (best === undefined || ms < best.ms) best = { of: one, ms };
    }
    return best && { of: best.of, mostMs: leftMs() };
  }

  function tellSwitch(to: Candidate): void {
    const from = run.asked;
    run.asked = to;
    if (from === to) return;
    const reason = reasons.get(from) ?? "it is asked again";
    const { line, turn } = caller;
    const who = { ...(line !== "" && { line }), ...(turn !== undefined && { turn }) };
    log.warn({ from: from.spec, to: to.spec, reason, ...who }, "another model is asked");
  }

  function requestFor(of: Candidate): ModelRequest {
    // A run that goes on after somebody's word may have been begun by another.
    const own = run.answered.size === 1 && run.answered.has(of);
    return several && !own ? withoutMarks(request) : request;
  }

  function end(answered: boolean, used?: number): Candidate | undefined {
    const { of, lease } = attempt ?? {};
    attempt = undefined;
    lease?.end(answered, used);
    return of;
  }

  /** It is asked once more, after a while. */
  async function once(more: Candidate, pauseMs: number): Promise<void> {
    again = { of: more, refused: false };
    await pause(clock, pauseMs, signal);
  }

  async function enter(): Promise<Candidate> {
    for (;;) {
      const repeated = again;
      again = undefined;
      const chosen = repeated === undefined ? choose() : { of: repeated.of, mostMs: leftMs() };
      if (chosen === undefined) throw over(last);
      const { of, mostMs } = chosen;
      if (repeated === undefined) tries = refusals = faults = 0;
      try {
        const entry = { caller, tokens: tokensFor(of), again: repeated?.refused === true, mostMs };
        const entered = of.gate.enter(entry, signal);
        attempt = { of, lease: entered instanceof Promise ? await entered : entered };
        return of;
      } catch (error) {
        if (!(error instanceof LineTooLongError)) throw error;
        last = error;
        reasons.set(of, error.message);
        // Once more, for as long as there is, where all others are no better.
        if (slow.has(of) || leftMs() <= mostMs) failed.add(of);
        slow.add(of);
      }
    }
  }

  return {
    async next() {
      const of = await enter();
      tries += 1;
      tellSwitch(of);
      of.breaker.begin();
      return { model: of.model, asked: requestFor(of), tries };
    },

    answered({ totalTokens }) {
      // Some servers do not count.
      const of = end(true, totalTokens > 0 ? totalTokens : undefined);
      if (of === undefined) return;
      run.current = of;
      run.answered.add(of);
      if (of.breaker.succeeded()) log.warn({ model: of.spec }, "the model answers again");
    },

    async failed(error) {
      const of = end(error instanceof UnacceptableError || error instanceof RetryableError);
      if (of === undefined || signal?.aborted) {
        of?.breaker.left();
        throw error;
      }
      last = error;
      const trouble = error instanceof UnavailableError ? error.trouble : undefined;
      if (!(error instanceof UnavailableError || error instanceof RetryableError || error instanceof TooLongError)) {
        of.breaker.succeeded();
        throw error;
      }
      if (trouble === "limit") {
        refusals += 1;
        of.breaker.left();
        const soon = others(of).some(works) ? fallbackMs : leftMs();
        if (refusals < mostRefusals && of.gate.pausedMs() <= soon) {
          again = { of, refused: true };
          return;
        }
      } else if (error instanceof TooLongError) of.breaker.succeeded();
      else {
        if (error instanceof UnavailableError) {
          const most = !others(of).some(works) ? retries : trouble === "timeout" ? 0 : Math.min(retries, 1);
          const { retryAfterMs = longestRetryMs } = error;
          if (mayPass(error) && ++faults <= most) {
            of.breaker.left();
            return once(of, retryAfterMs < longestRetryMs ? retryAfterMs : backoffMs(faults));
          }
        }
        tellOpen(of, of.breaker.failed(weightOf(error), reasonOf(error)));
      }
      failed.add(of);
      reasons.set(of, reasonOf(error));
      if (others(of).length === 0) throw over(error);
    },

    left() {
      end(false)?.breaker.left();
    },
  };

  function others(of: Candidate): Candidate[] {
    return candidates.filter((one) => one !== of && !failed.has(one));
  }

  function tellOpen(of: Candidate, openMs: number | undefined): void {
    if (openMs === undefined) return;
    log.warn(
      { model: of.spec, seconds: openMs / 1_000, reason: of.breaker.why },
      "the model is left alone for a while",
    );
  }
}

/** Who could not be answered in time is told to come back; whoever works on a task comes back by himself. */
function over(error: unknown): unknown {
  const limited = error instanceof UnavailableError && error.trouble === "limit";
  if (!limited && !(error instanceof LineTooLongError)) return error ?? new TerminalError("no model could be asked");
  const retryAfterMs = error instanceof LineTooLongError ? error.expectedMs : (error.retryAfterMs ?? 60_000);
  const cause = new RateLimitedError(error.message, { retryAfterMs });
  return new BusyError(`no model has room: ${error.message}`, { cause });
}

/** Failures that the next request may not have. */
function mayPass({ trouble }: UnavailableError): boolean {
  return trouble === "failing" || trouble === "timeout" || trouble === "connection";
}

function works({ breaker }: Candidate): boolean {
  return breaker.admits();
}

/** What costs the person minutes, or does not pass by itself, is not tried three times. */
function weightOf(error: unknown): number {
  if (!(error instanceof UnavailableError)) return 1;
  return error.trouble === "failing" || error.trouble === "connection" ? 1 : 3;
}

function backoffMs(faults: number): number {
  return Math.min(firstPauseMs * 2 ** (faults - 1), mostPauseMs);
}

/** Rejects with the signal's reason when it is aborted. */
async function pause(clock: Clock, ms: number, signal: AbortSignal | undefined): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const cancel = clock.after(ms, resolve);
  signal?.addEventListener("abort", () => resolve(), { once: true });
  await promise;
  cancel();
  signal?.throwIfAborted();
}
