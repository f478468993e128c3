/** One actor's access to its state and reminders, through the sidecar that hosts it. */
import { InfrastructureError, reasonOf } from "../../src/errors.ts";
import type { AgentId } from "../../src/ids.ts";
import type { ActorCommit, ActorContext, Bus, Log } from "../../src/ports.ts";
import { errorCodeOf, unexpected, type Sidecar } from "./sidecar.ts";
import { encodeName, segment } from "./wire.ts";

/** The wire identity of all client agents: part of the key of every state and reminder. Never renamed. */
export const actorType = "ClientAgent";

/** The sidecar says that this actor is not hosted here (any more): nothing was written. */
export class NotHostedError extends InfrastructureError {
  override readonly name = "NotHostedError";
}

export interface HostedContext extends ActorContext {
  /** The actor is no longer hosted: whoever still holds it can write no more. */
  close(): void;
}

export interface ContextDeps {
  readonly sidecar: Sidecar;
  readonly bus: Pick<Bus, "publish">;
  readonly log: Log;
  /** Publishes that go on after their write: waited for before the process ends. */
  readonly publishing: Set<Promise<boolean>>;
}

/** Arming must not hold up a message: where it takes longer it has failed, and is tried again. */
const armMs = 1_000;
const nothing = Promise.resolve(true);
const publishAgainMs = [200, 1_000, 5_000];

export function actorPath(id: string, rest: string): string {
  return `/v1.0/actors/${actorType}/${segment(id)}/${rest}`;
}

export function createContext(id: AgentId, { sidecar, bus, log, publishing }: ContextDeps): HostedContext {
  /** Reminders that this activation armed, with their period: armed again they keep their rhythm. */
  const armed = new Map<string, number>();
  let open = true;

  function checkOpen(): void {
    if (!open) throw new NotHostedError("The actor was dropped meanwhile: it cannot write.");
  }

  async function arm({ name, periodMs }: NonNullable<ActorCommit["arm"]>): Promise<boolean> {
    if (armed.get(name) === periodMs) return true;
    const period = `${periodMs}ms`;
    const body = JSON.stringify({ dueTime: period, period });
    try {
      const answer = await sidecar.call("POST", actorPath(id, `reminders/${segment(name)}`), {
        body,
        deadlineMs: armMs,
      });
      if (answer.status !== 204 && answer.status !== 200) throw unexpected("a reminder cannot be armed", answer);
    } catch (error) {
      log.warn({ actor: id, reminder: name, reason: reasonOf(error) }, "a reminder is not armed yet");
      return false;
    }
    armed.set(name, periodMs);
    return true;
  }

  async function write(put: Readonly<Record<string, unknown>>, remove: readonly string[]): Promise<void> {
    const operations = [
      ...Object.entries(put).map(([key, value]) => ({ operation: "upsert", request: { key: encodeName(key), value } })),
      ...remove.map((key) => ({ operation: "delete", request: { key: encodeName(key) } })),
    ];
    if (operations.length === 0) return;
    const answer = await sidecar.call("POST", actorPath(id, "state"), { body: JSON.stringify(operations) });
    if (answer.status === 204 || answer.status === 200) return;
    if (answer.status === 400 && errorCodeOf(answer.body) === "ERR_ACTOR_INSTANCE_MISSING")
      throw new NotHostedError("The actor is hosted elsewhere now.");
    throw unexpected("an actor's state cannot be written", answer);
  }

  /** The state can say it again; until its watchdog does, this tries. In one order: the next waits for the one before. */
  async function publish(events: NonNullable<ActorCommit["publish"]>): Promise<boolean> {
    for (const { topic, event } of events) {
      for (let attempt = 0; ; attempt++) {
        try {
          await bus.publish(topic, [event]);
          break;
        } catch (error) {
          const waitMs = publishAgainMs[attempt];
          if (waitMs === undefined) {
            log.warn({ actor: id, topic, reason: reasonOf(error) }, "an event is left to the actor's watchdog");
            return false;
          }
          await new Promise<void>((resolve) => setTimeout(resolve, waitMs).unref());
        }
      }
    }
    return true;
  }

  return {
    id,
    async load(keys) {
      const values = await Promise.all(
        keys.map(async (key) => {
          const answer = await sidecar.call("GET", actorPath(id, `state/${segment(key)}`));
          if (answer.status === 204 || (answer.status === 200 && answer.body === "")) return undefined;
          if (answer.status !== 200) throw unexpected("an actor's state cannot be read", answer);
          return [key, JSON.parse(answer.body) as unknown] as const;
        }),
      );
      return new Map(values.filter((value) => value !== undefined));
    },
    async commit({ put = {}, remove = [], arm: reminder, publish: events = [] }) {
      checkOpen();
      const isArmed = reminder === undefined || (await arm(reminder));
      checkOpen();
      await write(put, remove);
      if (events.length === 0) return { armed: isArmed, published: nothing };
      const published = publish(events).finally(() => publishing.delete(published));
      publishing.add(published);
      return { armed: isArmed, published };
    },
    async arm(reminder) {
      return open && arm(reminder);
    },
    async disarm(name) {
      checkOpen();
      armed.delete(name);
      const answer = await sidecar.call("DELETE", actorPath(id, `reminders/${segment(name)}`));
      if (answer.status !== 204 && answer.status !== 200 && answer.status !== 404)
        throw unexpected("a reminder cannot be disarmed", answer);
    },
    close() {
      open = false;
    },
  };
}
