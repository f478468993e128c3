/**
 * Hosts the actors that the sidecar gives to this process: one call at a time per actor; dropped after a rejected call, when
 * the sidecar deactivates it, and whenever a new sidecar comes.
 *
 * A call of an actor that is in memory here takes its mutex directly. Its state is written through the sidecar all the same,
 * which refuses when the actor has moved: nothing was written then, and the call is made again through the sidecar.
 */
import { InfrastructureError } from "../../src/errors.ts";
import type { AgentId } from "../../src/ids.ts";
import { resultOf } from "../../src/later.ts";
import type { Actor, ActorContext, ActorHost } from "../../src/ports.ts";
import { actorPath, createContext, NotHostedError, type ContextDeps, type HostedContext } from "./actor-context.ts";
import { outcomeOf, type Outcome } from "../../src/fate.ts";
import { unexpected } from "./sidecar.ts";
import { segment } from "./wire.ts";

export interface DaprActors extends ActorHost {
  /** The sidecar calls. */
  invoke(id: AgentId, method: string, data: unknown): Promise<unknown>;
  remind(id: AgentId, name: string): Promise<void>;
  /**
   * At once: a running call cannot write any more, which the sidecar would refuse it anyhow. While agents move the sidecar holds
   * up that call's writes until all deactivations are done: one that waited for it would hold up every agent.
   */
  deactivate(id: AgentId): void;
  /** A new sidecar knows nothing of what the old one gave: nobody here may write any more. */
  dropAll(): void;
  /** How many actors are in memory. */
  active(): number;
}

interface Entry {
  /** The last call in line; a chain of promises is the mutex. It stays until nobody waits, whatever becomes of the actor. */
  tail: Promise<unknown>;
  waiting: number;
  hosted: { readonly actor: Actor; readonly context: HostedContext } | undefined;
}

/** Above the handlers' own limit of time: the other side has given up before. */
const callMs = 25_000;

export function createActors(deps: ContextDeps): DaprActors {
  const { sidecar } = deps;
  const entries = new Map<AgentId, Entry>();
  let activate: ((context: ActorContext) => Promise<Actor>) | undefined;

  function locked<T>(id: AgentId, run: (entry: Entry) => Promise<T>): Promise<T> {
    let entry = entries.get(id);
    if (entry === undefined) entries.set(id, (entry = { tail: Promise.resolve(), waiting: 0, hosted: undefined }));
    const of = entry;
    of.waiting += 1;
    const done = of.tail.then(() => run(of));
    of.tail = done.then(ended, ended);
    function ended(): void {
      of.waiting -= 1;
      if (of.waiting === 0 && of.hosted === undefined && entries.get(id) === of) entries.delete(id);
    }
    return done;
  }

  function drop(entry: Entry): void {
    entry.hosted?.context.close();
    entry.hosted = undefined;
  }

  async function host(id: AgentId): Promise<NonNullable<Entry["hosted"]>> {
    if (activate === undefined) throw new InfrastructureError("No actors are registered.");
    const context = createContext(id, deps);
    try {
      return { actor: await activate(context), context };
    } catch (error) {
      context.close();
      throw error;
    }
  }

  /** Under the mutex, on an actor that is loaded where it was not. */
  function use<T>(id: AgentId, run: (actor: Actor) => Promise<T>): Promise<T> {
    return locked(id, async (entry) => {
      try {
        const hosted = (entry.hosted ??= await host(id));
        return await run(hosted.actor);
      } catch (error) {
        drop(entry);
        throw error;
      }
    });
  }

  /** `undefined` where it is not in memory here, or has moved: nothing was done. */
  function here(id: AgentId, method: string, data: unknown): Promise<{ readonly result: unknown } | undefined> {
    return locked(id, async (entry) => {
      if (entry.hosted === undefined) return undefined;
      try {
        return { result: await entry.hosted.actor.call(method, data) };
      } catch (error) {
        drop(entry);
        if (error instanceof NotHostedError) return undefined;
        throw error;
      }
    });
  }

  async function elsewhere(id: AgentId, method: string, data: unknown): Promise<unknown> {
    const path = actorPath(id, `method/${segment(method)}`);
    const answer = await sidecar.call("POST", path, { body: JSON.stringify(data ?? null), deadlineMs: callMs });
    // An empty answer is none of ours: an uncorrected Dapr gives it for a call that did not happen.
    if (answer.status !== 200 || answer.body === "") throw unexpected("an actor cannot be called", answer);
    return outcomeOf(JSON.parse(answer.body) as Outcome);
  }

  return {
    exclusive: false,
    register(factory) {
      activate = factory;
    },
    async call(id, method, data) {
      if (entries.get(id)?.hosted !== undefined) {
        const done = await here(id, method, data);
        if (done !== undefined) return resultOf(done.result);
      }
      return elsewhere(id, method, data);
    },
    invoke: async (id, method, data) => resultOf(await use(id, (actor) => actor.call(method, data))),
    remind: (id, name) => use(id, (actor) => actor.remind(name)),
    deactivate(id) {
      const entry = entries.get(id);
      if (entry === undefined) return;
      drop(entry);
      // What loads just now is dropped behind it.
      void locked(id, async (of) => drop(of));
    },
    dropAll() {
      for (const [id, entry] of entries) {
        drop(entry);
        if (entry.waiting === 0) entries.delete(id);
      }
    },
    active: () => [...entries.values()].filter(({ hosted }) => hosted !== undefined).length,
  };
}
