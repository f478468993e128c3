/**
 * One life of a gateway process: its clock, its timers and its steps to the outside.
 *
 * A process that dies simply never hears of anything again: no promise of it settles, no timer of it fires. What it had
 * sent to a server may still arrive there (dapr); what it had not written to its own disk is gone (embedded).
 */
import type { Clock } from "../../src/ports.ts";
import type { FaultOf, Operation } from "./plan.ts";
import type { World } from "./world.ts";

export interface Process {
  readonly slot: number;
  /** Unique to this life: slot and the count of its lives. */
  readonly name: string;
  readonly clock: Clock;
  readonly alive: boolean;
  readonly diedAt: number | undefined;
  /** Dead, or never to be handed anything new. */
  readonly stopping: boolean;
  /** Runs `task` in this process after `ms`, unless it is dead by then; later where it stands still. */
  schedule(ms: number, task: () => void): () => void;
  /**
   * One step outside. `apply` happens on the other side, at once or later, also when the caller is told that it failed; what
   * it throws is the caller's error.
   */
  perform<Result>(operation: Operation, what: string, apply: () => Result | Promise<Result>): Promise<Result>;
  /** Stands still until `time`. */
  freeze(time: number): void;
  stop(): void;
  /** Dies in the middle of what it does; another life begins `downMs` later. */
  crash(downMs: number): void;
  die(): void;
  /** Calls `listener` when it dies. */
  onDeath(listener: () => void): void;
}

export interface ProcessOptions {
  readonly slot: number;
  readonly life: number;
  /** How far this machine's wall clock is off, now. */
  readonly skew: () => number;
  /** The next life is due after so long. */
  readonly revive: (downMs: number) => void;
}

/** The longest a step waits for its answer. */
const deadlineMs = 9_000;

export function createProcess(world: World, { slot, life, skew, revive }: ProcessOptions): Process {
  const { loop, plan, faults } = world;
  const name = `p${slot}.${life}`;
  const random = world.streams(`process ${slot}`);
  const embedded = plan.flavour === "embedded";
  const born = loop.now();
  const uptime = random.int(0, 1_000_000);
  let diedAt: number | undefined;
  let stopping = false;
  let frozenUntil = 0;
  let lastArrival = 0;
  const mourners: (() => void)[] = [];

  const schedule = (ms: number, task: () => void): (() => void) => {
    const run = () => {
      if (!process.alive) return;
      if (frozenUntil > loop.now()) cancel = loop.at(frozenUntil, run);
      else task();
    };
    let cancel = loop.at(loop.now() + Math.max(0, ms), run);
    return () => cancel();
  };

  /** Embedded: steps reach the disk in their order. Dapr: over the network, sometimes slowly, in any order. */
  const arrivalOf = (fault: FaultOf<"operation"> | undefined): number => {
    const usual = embedded ? random.between(0.1, 3) : random.between(1, 12);
    const tail = !embedded && random.chance(0.02) ? random.between(50, 800) : 0;
    const slow = fault?.how === "slow" ? Math.min(fault.forMs, deadlineMs) : 0;
    const arrival = loop.now() + usual + tail + slow;
    if (!embedded) return arrival;
    lastArrival = Math.max(arrival, lastArrival + 0.001);
    return lastArrival;
  };

  const process: Process = {
    slot,
    name,
    get alive() {
      return diedAt === undefined;
    },
    get diedAt() {
      return diedAt;
    },
    get stopping() {
      return stopping || diedAt !== undefined;
    },
    clock: {
      now: () => Math.floor(plan.epoch + loop.now() + skew()),
      monotonic: () => uptime + loop.now() - born,
      // As timers are: time goes on while one waits.
      after: (ms, task) => schedule(Math.max(ms, 1), task),
    },
    schedule,
    perform: (operation, what, apply) =>
      new Promise((resolve, reject) => {
        if (!process.alive) return;
        const fault = faults.take("operation", (candidate) => candidate.operation === operation);
        const outlives = !embedded && random.chance(0.5);
        const fail = (reason: string) => {
          world.note(name, () => `${operation} ${what}: ${reason}`);
          const error = new world.subject.errors.InfrastructureError(`${operation}: ${reason}`);
          schedule(random.between(0, 5), () => reject(error));
        };
        loop.at(arrivalOf(fault), () => {
          if (!process.alive && !outlives) return;
          if (fault?.how === "crash before" && process.alive) return process.crash(fault.forMs);
          if (fault?.how === "refuse" || isOut(world, operation)) return fail("refused");
          const reply = (settle: () => void) => {
            if (fault?.how === "crash after" && process.alive) return process.crash(fault.forMs);
            if (fault?.how === "lose") return fail("applied, but the reply is lost");
            schedule(embedded ? 0 : random.between(0, 5), settle);
          };
          world.note(name, () => `${operation} ${what}${process.alive ? "" : " (after its death)"}`);
          try {
            const result = apply();
            if (result instanceof Promise) {
              result.then(
                (value) => reply(() => resolve(value)),
                (error: unknown) => reply(() => reject(error)),
              );
            } else reply(() => resolve(result));
          } catch (error) {
            reply(() => reject(error));
          }
        });
      }),
    freeze: (time) => {
      frozenUntil = Math.max(frozenUntil, time);
    },
    stop: () => {
      stopping = true;
    },
    crash: (downMs) => {
      if (!process.alive) return;
      world.note(name, () => `dies, back in ${downMs} ms`);
      process.die();
      revive(downMs);
    },
    die: () => {
      diedAt = loop.now();
      for (const listener of mourners) listener();
    },
    onDeath: (listener) => void mourners.push(listener),
  };
  return process;
}

function isOut({ plan, faults }: World, operation: Operation): boolean {
  if (operation === "call") return faults.out("calls");
  const part = operation === "publish" || operation === "settle" ? "bus" : "store";
  return faults.out(part) || (plan.flavour === "embedded" && faults.out(part === "bus" ? "store" : "bus"));
}
