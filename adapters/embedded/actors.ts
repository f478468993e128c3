/**
 * Hosts the actors of this process: one call at a time per actor, dropped after a rejected call, gone from memory when idle.
 *
 * An actor that calls itself through the host waits for itself for ever; so do two that call each other. The core's actors
 * never await another actor's call inside their own, and a check would cost every call.
 */
import { InfrastructureError, reasonOf } from "../../src/errors.ts";
import type { AgentId } from "../../src/ids.ts";
import { resultOf } from "../../src/later.ts";
import type { Actor, ActorContext, ActorHost, Clock, Log } from "../../src/ports.ts";
import type { ActorState } from "./actor-state.ts";
import type { HostedContext } from "./actor-context.ts";
import { createFifo, type Fifo } from "./fifo.ts";
import { createPacker } from "./packer.ts";
import type { Store } from "./store.ts";

export interface EmbeddedActors extends ActorHost {
  /** Runs a reminder under the actor's mutex. One that is reminded within its idle time stays, with what it holds in memory. */
  remind(id: string, name: string): Promise<void>;
  /** How many actors are in memory. */
  active(): number;
  start(): void;
  /** Resolves when no call runs any more. Calls are still taken: what runs may need them. */
  stop(): Promise<void>;
}

interface Job {
  run(actor: Actor): Promise<unknown>;
  resolve(result: unknown): void;
  reject(error: unknown): void;
}

interface Entry {
  readonly id: AgentId;
  readonly jobs: Fifo<Job>;
  running: boolean;
  /** When it was last called or reminded, on the monotonic clock. */
  usedAt: number;
  hosted: { readonly actor: Actor; readonly context: HostedContext } | undefined;
}

export interface ActorsOptions {
  readonly store: Store;
  readonly state: ActorState;
  readonly clock: Clock;
  readonly log: Log;
  readonly idleMs: number;
  readonly contextOf: (id: AgentId) => HostedContext;
}

export function createActors({ store, state, clock, log, idleMs, contextOf }: ActorsOptions): EmbeddedActors {
  const entries = new Map<string, Entry>();
  const packer = createPacker({ store, state, clock, log, isActive: (id) => entries.has(id) });
  const stopped = Promise.withResolvers<void>();
  let activate: ((context: ActorContext) => Promise<Actor>) | undefined;
  let working = 0;
  let stopping = false;
  let sweeping = false;

  function entryOf(id: string): Entry {
    let entry = entries.get(id);
    if (entry === undefined) {
      const agent = id as AgentId;
      entry = { id: agent, jobs: createFifo(), running: false, usedAt: 0, hosted: undefined };
      entries.set(id, entry);
      scheduleSweep();
    }
    return entry;
  }

  function enqueue(id: string, run: Job["run"]): Promise<unknown> {
    const entry = entryOf(id);
    entry.usedAt = clock.monotonic();
    return new Promise((resolve, reject) => {
      entry.jobs.push({ run, resolve, reject });
      if (!entry.running) void work(entry);
    });
  }

  async function work(entry: Entry): Promise<void> {
    entry.running = true;
    working += 1;
    for (let job = entry.jobs.shift(); job !== undefined; job = entry.jobs.shift()) {
      try {
        const { actor } = (entry.hosted ??= await host(entry));
        job.resolve(resultOf(await job.run(actor)));
      } catch (error) {
        await drop(entry);
        job.reject(error);
      }
    }
    entry.running = false;
    working -= 1;
    if (isIdle(entry)) evict(entry);
    if (stopping && working === 0) stopped.resolve();
  }

  async function host(entry: Entry): Promise<NonNullable<Entry["hosted"]>> {
    if (activate === undefined) throw new InfrastructureError("No actors are registered.");
    const context = contextOf(entry.id);
    try {
      return { actor: await activate(context), context };
    } catch (error) {
      context.close();
      throw error;
    }
  }

  /** The next call loads what was committed: not before the dropped actor's last write has ended. */
  async function drop(entry: Entry): Promise<void> {
    const context = entry.hosted?.context;
    entry.hosted = undefined;
    if (context === undefined) return;
    context.close();
    await context.settled();
  }

  const isIdle = (entry: Entry): boolean => !entry.running && entry.usedAt + idleMs <= clock.monotonic();

  function evict(entry: Entry): void {
    entries.delete(entry.id);
    entry.hosted?.context.close();
    packer.add(entry.id);
  }

  function scheduleSweep(): void {
    if (sweeping || stopping) return;
    sweeping = true;
    clock.after(Math.max(idleMs / 4, 100), () => {
      sweeping = false;
      for (const entry of entries.values()) if (isIdle(entry)) evict(entry);
      if (entries.size > 0) scheduleSweep();
    });
  }

  return {
    exclusive: true,
    register(factory) {
      activate = factory;
    },
    call(id, method, data) {
      return enqueue(id, (actor) => actor.call(method, data));
    },
    async remind(id, name) {
      try {
        await enqueue(id, (actor) => actor.remind(name));
      } catch (error) {
        log.warn({ actor: id, reminder: name, reason: reasonOf(error) }, "a reminder failed; it fires again");
      }
    },
    active: () => entries.size,
    start: () => packer.start(),
    stop() {
      stopping = true;
      packer.stop();
      if (working === 0) stopped.resolve();
      return stopped.promise;
    },
  };
}
