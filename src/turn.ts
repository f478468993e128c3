/**
 * Turns, off the agent's lock: take the messages, run the agent, bring the answer back.
 *
 * A turn is known by its id and its attempt. Whatever happens to the runner, only the active attempt's answer counts, and the
 * agent's watchdog starts another when this one falls silent.
 */
import type { Agent } from "./agent.ts";
import type { TurnRunner } from "./agent-calls.ts";
import { payerOf } from "./budgets.ts";
import { reasonOf } from "./errors.ts";
import type { TurnRef } from "./events.ts";
import type { AgentId } from "./ids.ts";
import type { Address } from "./message.ts";
import type { ModelWait } from "./model-line.ts";
import { createRoundRobin, type Shares } from "./shares.ts";
import { createTimeLimit } from "./time-limit.ts";
import { runTurn, TurnAbandoned, TurnTimeout, type LeftTurn, type RunOptions, type Running } from "./turn-run.ts";

const foldTimeoutMs = 60_000;

export interface TurnOptions extends RunOptions {
  /** One for each turn that runs; more wait, tenants in turn and each one's in the order of their start. */
  readonly places: Shares;
}

export interface Turns extends TurnRunner {
  /** Takes no new turns and waits up to `graceMs` for the running ones. @returns those that are left to another process. */
  drain(graceMs: number): Promise<readonly LeftTurn[]>;
}

export function createTurns(options: TurnOptions): Turns {
  const { clock, log, places } = options;
  /** By conversation: one runner each. */
  const running = new Map<string, Running>();
  const waiting = createRoundRobin<Running>();
  const folding = new Map<AgentId, AbortController>();
  let active = 0;
  let draining = false;
  /** Those that began or waited when this process stopped already. */
  const left: LeftTurn[] = [];
  let idle: (() => void) | undefined;

  const keyOf = (agent: AgentId, turn: TurnRef): string => `${agent} ${turn.conversation}`;
  const isSame = (a: TurnRef | undefined, b: TurnRef): boolean => a?.turn === b.turn && a.attempt === b.attempt;

  const mayStart = (tenant: string): boolean => places.fits(tenant, 1);

  function launchNext(): void {
    for (let next; !draining && (next = waiting.next(mayStart)) !== undefined;) launch(next);
  }

  function launch(run: Running): void {
    active++;
    places.take(run.to.tenant, 1);
    void runTurn(options, run)
      .catch((error: unknown) => {
        log.error({ agent: run.agent, turn: run.turn.turn, reason: reasonOf(error) }, "turn runner failed");
      })
      .finally(() => {
        active--;
        places.giveBack(run.to.tenant, 1);
        const key = keyOf(run.agent, run.turn);
        if (running.get(key) === run) running.delete(key);
        launchNext();
        if (active === 0) idle?.();
      });
  }

  function abandon(key: string): void {
    const run = running.get(key);
    if (run === undefined) return;
    run.abort.abort(new TurnAbandoned("superseded"));
    waiting.delete(run.to.tenant, run);
    running.delete(key);
  }

  return {
    start(agent, to, turn) {
      const key = keyOf(agent, turn);
      if (isSame(running.get(key)?.turn, turn)) return;
      if (draining) return void left.push({ agent, turn });
      // An older attempt, whose cancelling may have been lost with its actor.
      abandon(key);
      const run: Running = { agent, to, turn, abort: new AbortController(), asking: new Set() };
      running.set(key, run);
      waiting.add(to.tenant, run);
      launchNext();
    },
    cancel(agent, turn) {
      const key = keyOf(agent, turn);
      if (isSame(running.get(key)?.turn, turn)) abandon(key);
    },
    wake(agent, turn) {
      const run = running.get(keyOf(agent, turn));
      if (isSame(run?.turn, turn)) for (const wake of run?.asking ?? []) wake();
    },
    isRunning: (agent, turn) => isSame(running.get(keyOf(agent, turn))?.turn, turn),
    fold(agent, to, summary, items) {
      if (draining || folding.has(agent)) return;
      const abort = new AbortController();
      folding.set(agent, abort);
      const limit = createTimeLimit(clock, foldTimeoutMs, () => abort.abort(new TurnTimeout("summary took too long")));
      const onWait = (wait: ModelWait | undefined) => (wait === undefined ? limit.resume() : limit.pause());
      // The person's next message does not stand behind it.
      const caller = { tenant: to.tenant, line: `${to.conversation} summary`, payer: payerOf(agent, to), onWait };
      void foldHistory(options, agent, to, { summary, items, caller, signal: abort.signal })
        .catch((error: unknown) => {
          log.warn(
            { agent, reason: reasonOf(error) },
            "the history could not be folded; it is tried again after the next turn",
          );
        })
        .finally(() => {
          limit.end();
          folding.delete(agent);
        });
    },
    async drain(graceMs) {
      draining = true;
      for (const abort of folding.values()) abort.abort(new TurnAbandoned("stopping"));
      for (let run; (run = waiting.next(() => true)) !== undefined;) {
        left.push(run);
        abandon(keyOf(run.agent, run.turn));
      }
      if (active === 0) return left;
      const { promise, resolve } = Promise.withResolvers<void>();
      idle = resolve;
      const stopTimer = clock.after(graceMs, resolve);
      await promise;
      stopTimer();
      for (const [key, run] of running) {
        left.push(run);
        abandon(key);
      }
      return left;
    },
  };
}

async function foldHistory(
  options: TurnOptions,
  id: AgentId,
  to: Address,
  of: Parameters<Agent["summarize"]>[0],
): Promise<void> {
  const last = of.items.at(-1);
  if (last === undefined) return;
  const text = await options.agentOf(to).agent.summarize(of);
  of.signal.throwIfAborted();
  await options.call(id, "summarized", { through: last.turn, summary: text });
}
