/** The hosts of actors inside the processes: one call of an actor at a time, dropped and loaded anew after one fails. */
import type { AgentId } from "../../src/ids.ts";
import { resultOf } from "../../src/later.ts";
import type { Actor, ActorContext, ActorHost } from "../../src/ports.ts";
import { createActorState, type HeldConversation } from "./actor-state.ts";
import type { Broker } from "./broker.ts";
import { createPlacement } from "./placement.ts";
import type { Process } from "./process.ts";
import { createReminders } from "./reminders.ts";
import { copyOf, type World } from "./world.ts";

/** An actor in the memory of one process, or on its way there. */
interface Hosted {
  readonly id: AgentId;
  readonly process: Process;
  actor: Actor | undefined;
  /** The term of ownership it was loaded in. */
  term: number;
  activation: symbol | undefined;
  busy: boolean;
  readonly queue: Job[];
}

interface Job {
  readonly run: (actor: Actor) => Promise<unknown>;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
}

export interface Hosting {
  hostOf(process: Process): ActorHost;
  join(process: Process): void;
  /** Its actors go elsewhere, and calls that it has not answered fail. */
  leave(process: Process): void;
  /** Drops the actor from memory; `move`: it lives elsewhere from now on. */
  evict(id: AgentId, move: boolean): void;
  armed(): string[];
  /** What waits for a word, in the stored state. */
  asks(): string[];
  /** Conversations that an operator has, in the stored state. */
  held(): HeldConversation[];
  /** Doubtful answers that their agents have forgotten. */
  doubted(): string[];
}

const callDeadlineMs = 20_000;

export function createHosting(world: World, broker: Broker): Hosting {
  const { loop } = world;
  const embedded = world.plan.flavour === "embedded";
  const random = world.streams("hosting");
  const { InfrastructureError, RetryableError, TerminalError, fateOf } = world.subject.errors;
  const placement = createPlacement();
  const activates = new Map<Process, (context: ActorContext) => Promise<Actor>>();
  const hosts = new Map<Process, Map<AgentId, Hosted>>();
  /** Calls from elsewhere that a process has not answered. */
  const unanswered = new Map<Process, Set<(error: Error) => void>>();

  const reminders = createReminders(world, (id, name) => {
    const process = placement.ownerOf(id)?.process;
    if (process === undefined || !process.alive) return false;
    process.schedule(embedded ? 0 : random.between(0, 20), () => {
      enqueue(process, id, (actor) => actor.remind(name)).catch(() => undefined);
    });
    return true;
  });
  const { contextOf, asks, held, doubted } = createActorState(world, broker, reminders);

  const hostedAt = (process: Process, id: AgentId): Hosted => {
    const own = hosts.get(process) ?? new Map<AgentId, Hosted>();
    hosts.set(process, own);
    let hosted = own.get(id);
    if (hosted === undefined) {
      hosted = { id, process, actor: undefined, term: 0, activation: undefined, busy: false, queue: [] };
      own.set(id, hosted);
    }
    return hosted;
  };

  const activated = async (hosted: Hosted): Promise<Actor> => {
    const { id, process } = hosted;
    const owner = placement.ownerOf(id);
    if (owner?.process !== process) throw new InfrastructureError("the actor is not hosted here");
    if (hosted.actor !== undefined && hosted.term === owner.term) return hosted.actor;
    const { term } = owner;
    const activation = Symbol(id);
    hosted.activation = activation;
    const context = contextOf(id, {
      process,
      inCall: () => hosted.busy && hosted.activation === activation,
      owns: () => {
        const now = placement.ownerOf(id);
        return now?.process === process && now.term === term;
      },
    });
    hosted.actor = await activates.get(process)!(context);
    hosted.term = term;
    return hosted.actor;
  };

  const work = async (hosted: Hosted): Promise<void> => {
    if (hosted.busy) return;
    hosted.busy = true;
    for (let job = hosted.queue.shift(); job !== undefined; job = hosted.queue.shift()) {
      try {
        const result = await job.run(await activated(hosted));
        job.resolve(Promise.resolve(resultOf(result)).then(copyOf));
      } catch (error) {
        world.note(hosted.process.name, () => `${hosted.id} dropped: ${String(error)}`);
        hosted.actor = undefined;
        job.reject(error);
      }
    }
    hosted.busy = false;
  };

  const enqueue = (process: Process, id: AgentId, run: Job["run"]): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const hosted = hostedAt(process, id);
      hosted.queue.push({ run, resolve, reject });
      void work(hosted);
    });

  /** Across processes only the fate of an error survives. */
  const foreign = (error: unknown): Error => {
    const fate = fateOf(error);
    if (fate.kind === "terminal") return new TerminalError("the call failed there for good");
    const options = fate.afterMs === undefined ? {} : { retryAfterMs: fate.afterMs };
    return fate.counts ? new RetryableError("failed there", options) : new InfrastructureError("failed there", options);
  };

  const remotely = (process: Process, id: AgentId, run: Job["run"]): Promise<unknown> =>
    new Promise((resolve, reject) => {
      if (!process.alive) throw new InfrastructureError("nobody answers there");
      const open = unanswered.get(process) ?? new Set();
      unanswered.set(process, open.add(reject));
      const over = () => open.delete(reject);
      process.schedule(0, () => {
        enqueue(process, id, run)
          .then(resolve, (error: unknown) => reject(foreign(error)))
          .finally(over);
      });
    });

  const call = (from: Process, id: AgentId, method: string, data: unknown): Promise<unknown> => {
    const owner = placement.ownerOf(id)?.process;
    const given = copyOf(data);
    const run = (actor: Actor) => {
      world.note(owner?.name ?? "", () => `${id} ${method}`);
      return actor.call(method, given);
    };
    if (owner === from) return enqueue(from, id, run);
    return new Promise((resolve, reject) => {
      const error = new InfrastructureError(`no answer from ${owner?.name ?? "anybody"}`);
      const cancel = from.schedule(callDeadlineMs, () => reject(error));
      from
        .perform("call", `${id} ${method} at ${owner?.name ?? "nobody"}`, () => {
          if (owner === undefined) throw error;
          return remotely(owner, id, run);
        })
        .then(resolve, reject)
        .finally(cancel);
    });
  };

  return {
    hostOf: (process) => ({
      exclusive: embedded,
      register: (activate) => void activates.set(process, activate),
      call: (id, method, data) => call(process, id, method, data),
    }),
    join: (process) => {
      loop.at(loop.now() + (embedded ? 0 : random.between(0, 1_000)), () => process.alive && placement.join(process));
    },
    leave: (process) => {
      loop.at(loop.now() + (embedded || process.alive ? 0 : random.between(0, 3_000)), () => {
        placement.leave(process);
        for (const reject of unanswered.get(process) ?? []) reject(new InfrastructureError("it went away"));
      });
    },
    evict: (id, move) => {
      const owner = placement.ownerOf(id);
      if (move) placement.move(id);
      else if (owner !== undefined) hostedAt(owner.process, id).actor = undefined;
    },
    armed: reminders.armed,
    asks,
    doubted,
    held,
  };
}
