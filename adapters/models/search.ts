/** One request's way to an answer: which model of the list is asked next, and why not the others. */
import type { ModelRequest } from "@openai/agents";
import { reasonOf, RetryableError, UnacceptableError } from "../../src/errors.ts";
import type { ModelCaller } from "../../src/model-line.ts";
import { pause } from "../../src/pause.ts";
import type { Clock, Log } from "../../src/ports.ts";
import type { Breaker } from "./breaker.ts";
import { UnavailableError } from "./failures.ts";
import { LineTooLongError, type Gate, type Lease } from "./gate.ts";
import type { GuardedModel } from "./guard.ts";
import { finalError, isPassing, remedyOf, type Remedy } from "./remedy.ts";
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

export type Candidates = readonly [Candidate, ...Candidate[]];

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

/** What the requests of one run know of each other. */
export interface Run {
  readonly caller: ModelCaller;
  /** Answered last. */
  current: Candidate | undefined;
  /** Asked last, for the log. */
  asked: Candidate;
  /** Whoever wrote what is in the requests by now. */
  readonly answered: Set<Candidate>;
}

interface Attempt {
  readonly spec: string;
  readonly model: GuardedModel;
  readonly asked: ModelRequest;
  readonly tries: number;
}

interface Chosen {
  readonly of: Candidate;
  /** In its line. */
  readonly mostMs: number;
}

/** After every `next` comes exactly one of the others. */
export interface Search {
  /** @throws what is left to say when no model is. */
  next(): Promise<Attempt>;
  answered(usage: { readonly totalTokens: number }): void;
  /** @throws the error where no other try helps. */
  failed(error: unknown): Promise<void>;
  /** Nobody wants the answer any more. */
  left(): void;
  /** The request was not made. */
  unmade(): void;
}

export function createSearch(candidates: Candidates, options: RouteOptions, run: Run, request: ModelRequest): Search {
  const { clock, log, retries, waitMs, fallbackMs } = options;
  const { caller } = run;
  const { signal } = request;
  const several = candidates.length > 1;
  const until = clock.monotonic() + waitMs;
  const leftMs = (): number => Math.max(0, until - clock.monotonic());
  /** Why a model is not asked, or not any more. */
  const reasons = new Map<Candidate, string>();
  const failed = new Set<Candidate>();
  /** Their lines were longer than they looked. */
  const slow = new Set<Candidate>();
  let attempt: { readonly of: Candidate; readonly lease: Lease } | undefined;
  /** The same once more; `first` in its line. */
  let again: { readonly of: Candidate; readonly first: boolean } | undefined;
  const tries = { all: 0, refusals: 0, faults: 0 };
  let last: unknown;
  let tokens: number | undefined;
  const tokensFor = (of: Candidate): number => (of.countsTokens ? (tokens ??= estimateTokens(request)) : 0);
  const others = (of: Candidate): Candidate[] => candidates.filter((one) => one !== of && !failed.has(one));
  /** How long this one is waited for that has failed once: another that works would be sooner. */
  const patienceMs = (of: Candidate): number => (others(of).some(works) ? Math.min(fallbackMs, leftMs()) : leftMs());

  /** The first in order whose turn comes soon, else the one whose turn comes first. */
  function choose(): Chosen | undefined {
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

  async function enter(): Promise<Candidate> {
    for (;;) {
      const repeated = again;
      again = undefined;
      const chosen = repeated === undefined ? choose() : { of: repeated.of, mostMs: patienceMs(repeated.of) };
      if (chosen === undefined) throw finalError(last);
      const { of, mostMs } = chosen;
      if (repeated === undefined) tries.all = tries.refusals = tries.faults = 0;
      try {
        const entry = { caller, tokens: tokensFor(of), again: repeated?.first === true, mostMs };
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

  function end(how: (lease: Lease) => void): Candidate | undefined {
    const { of, lease } = attempt ?? {};
    attempt = undefined;
    if (lease !== undefined) how(lease);
    return of;
  }

  function countAgainst(of: Candidate, weight: number, why: string): void {
    const openMs = of.breaker.failed(weight, why);
    if (several && openMs !== undefined)
      log.warn({ model: of.spec, seconds: openMs / 1_000, reason: why }, "the model is left alone for a while");
  }

  function remedyFor(error: unknown, of: Candidate): Remedy {
    if (error instanceof UnavailableError && error.trouble === "limit") tries.refusals += 1;
    else if (isPassing(error)) tries.faults += 1;
    const left = others(of).some(works);
    const pausedMs = of.gate.pausedMs();
    return remedyOf(error, { ...tries, retries, others: left, pausedMs, patienceMs: patienceMs(of) });
  }

  return {
    async next() {
      const of = await enter();
      tries.all += 1;
      tellSwitch(of);
      of.breaker.begin();
      return { spec: of.spec, model: of.model, asked: requestFor(of), tries: tries.all };
    },

    answered({ totalTokens }) {
      // Some servers do not count.
      const of = end((lease) => lease.end(true, totalTokens > 0 ? totalTokens : undefined));
      if (of === undefined) return;
      run.current = of;
      run.answered.add(of);
      if (of.breaker.succeeded() && several) log.info({ model: of.spec }, "the model answers again");
    },

    async failed(error) {
      const answered = error instanceof UnacceptableError || error instanceof RetryableError;
      const of = end((lease) => lease.end(answered));
      if (of === undefined || signal?.aborted) {
        of?.breaker.left();
        throw error;
      }
      last = error;
      const remedy = remedyFor(error, of);
      if (remedy.kind === "leave" && remedy.weight !== undefined) countAgainst(of, remedy.weight, reasonOf(error));
      else of.breaker.left();
      if (remedy.kind === "none") throw error;
      if (remedy.kind === "leave") {
        failed.add(of);
        reasons.set(of, reasonOf(error));
        if (others(of).length === 0) throw finalError(error);
        return;
      }
      again = { of, first: remedy.kind === "line" };
      if (remedy.kind === "again") await pause(clock, remedy.afterMs, signal);
    },

    left: () => end((lease) => lease.end(false))?.breaker.left(),
    unmade: () => end((lease) => lease.giveBack())?.breaker.left(),
  };
}

function works({ breaker }: Candidate): boolean {
  return breaker.admits();
}
