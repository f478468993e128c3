import { InfrastructureError } from "../../src/errors.ts";
import type { AgentId } from "../../src/ids.ts";
import type { ActorCommit, ActorContext } from "../../src/ports.ts";
import type { ActorState } from "./actor-state.ts";
import type { EmbeddedBus } from "./bus.ts";
import type { Reminders } from "./reminders.ts";
import type { Store } from "./store.ts";

export interface HostedContext extends ActorContext {
  /** The actor is no longer hosted: whoever still holds it can write no more. */
  close(): void;
  /** Resolves when the last write has ended, well or not. */
  settled(): Promise<void>;
}

export interface ContextDeps {
  readonly store: Store;
  readonly state: ActorState;
  readonly bus: EmbeddedBus;
  readonly reminders: Reminders;
}

/**
 * A reminder that this activation armed is not written again with the same period: it keeps its rhythm and fires within
 * the period as promised.
 */
export function createContext(id: AgentId, { store, state, bus, reminders }: ContextDeps): HostedContext {
  const armed = new Map<string, number>();
  let open = true;
  let last: Promise<unknown> | undefined;

  function checkOpen(): void {
    if (!open) throw new InfrastructureError(`The actor ${id} was dropped meanwhile: it cannot write.`);
  }

  async function run(write: () => void, committed: () => void, failed: () => void): Promise<void> {
    const written = store.write(write, { committed, failed });
    last = written;
    await written;
  }

  const context: HostedContext = {
    id,
    async load(keys) {
      return state.load(id, keys);
    },
    async commit({ put = {}, remove = [], arm, publish = [] }: ActorCommit) {
      checkOpen();
      const puts = Object.entries(put).map(([key, value]) => [key, JSON.stringify(value)] as const);
      const staged = publish.map(({ topic, event }) => bus.stage(topic, event));
      const reminder =
        arm && armed.get(arm.name) !== arm.periodMs ? reminders.arm(id, arm.name, arm.periodMs) : undefined;
      await run(
        () => {
          for (const [key, json] of puts) state.put(id, key, json);
          for (const key of remove) state.remove(id, key);
          reminder?.write();
          for (const each of staged) each.write();
        },
        () => {
          if (arm !== undefined) armed.set(arm.name, arm.periodMs);
          reminder?.committed();
          for (const each of staged) each.committed();
        },
        () => {
          for (const each of staged) each.failed();
        },
      );
      return { armed: true, published };
    },
    async arm(reminder) {
      await context.commit({ arm: reminder });
      return true;
    },
    async disarm(name) {
      checkOpen();
      armed.delete(name);
      await run(() => reminders.disarm(id, name), noop, noop);
    },
    close() {
      open = false;
    },
    async settled() {
      await Promise.allSettled([last]);
    },
  };
  return context;
}

/** With the write, in one transaction. */
const published = Promise.resolve(true);

function noop(): void {
  // Nothing to tell anybody.
}
