/** The stored state of actors, and how an actor writes it: in one step (embedded) or in three (dapr). */
import type { AgentId } from "../../src/ids.ts";
import type { ActorCommit, ActorContext } from "../../src/ports.ts";
import type { Inbox, Outbox, Spilled } from "../../src/state.ts";
import type { Broker } from "./broker.ts";
import type { Process } from "./process.ts";
import type { Reminders } from "./reminders.ts";
import { copyOf, type World } from "./world.ts";

/** What an activation may do at this moment. */
export interface Hold {
  readonly process: Process;
  /** A call of this activation runs: the only time at which its state may be used. */
  inCall(): boolean;
  /** Its process owns the actor, in the term it was loaded in. */
  owns(): boolean;
}

export interface HeldConversation {
  readonly id: string;
  readonly waiting: readonly string[];
}

type Published = NonNullable<ActorCommit["publish"]>;

type ContextOf = (id: AgentId, hold: Hold) => ActorContext;

export interface ActorState {
  readonly contextOf: ContextOf;
  /** What waits for a word, of all actors. */
  asks(): string[];
  /** Conversations that an operator has, and the messages that wait there for the agent. */
  held(): HeldConversation[];
  /** Doubtful answers that their agents have forgotten, by conversation and sequence. */
  doubted(): string[];
}

export function createActorState(world: World, broker: Broker, reminders: Reminders): ActorState {
  const rows = new Map<AgentId, Map<string, string>>();
  const everDoubted = new Set<string>();
  const embedded = world.plan.flavour === "embedded";
  const { InfrastructureError } = world.subject.errors;

  const put = (id: AgentId, values: readonly (readonly [string, string])[], remove: readonly string[]): void => {
    const stored = rows.get(id) ?? new Map<string, string>();
    rows.set(id, stored);
    for (const [key, json] of values) stored.set(key, json);
    for (const name of doubtedIn(stored)) everDoubted.add(name);
    for (const key of remove) stored.delete(key);
  };

  const asks = (): string[] =>
    [...rows].flatMap(([id, stored]) => {
      const { threads } = JSON.parse(stored.get("inbox") ?? '{"threads":{}}') as Inbox;
      const open = Object.values(threads).flatMap((thread) => thread.asks ?? []);
      const kept = [...stored.keys()].filter((key) => key.startsWith("ask:"));
      return [...open.map((ask) => `ask ${ask.id} of ${id}`), ...kept.map((key) => `row ${key} of ${id}`)];
    });

  const held = (): HeldConversation[] =>
    [...rows.values()].flatMap((stored) => {
      const { threads } = JSON.parse(stored.get("inbox") ?? '{"threads":{}}') as Inbox;
      return Object.entries(threads).flatMap(([id, { held: by, pending, spilled }]) => {
        if (by?.by === undefined) return [];
        const { first = 0, next = 0 } = spilled ?? {};
        const behind = Array.from(
          { length: next - first },
          (_, at) => stored.get(`waiting:${id}:${first + at}`) ?? "{}",
        );
        const messages = [...pending, ...behind.flatMap((row) => (JSON.parse(row) as Spilled).message ?? [])];
        return [{ id, waiting: messages.map((message) => message.id) }];
      });
    });

  const contextOf: ContextOf = (id, { process, inCall, owns }) => {
    const check = (what: string) => {
      if (!inCall()) world.broken(`${what} of ${id} outside of its actor's calls`);
    };
    const fenced = () => {
      if (!owns()) throw new InfrastructureError("the actor is not hosted here any more");
    };
    const append = (published: Published): void => {
      for (const { topic, event } of published) broker.append(process.name, topic, [event]);
    };
    const keepPublishing = (published: Published): Promise<boolean> =>
      process
        .perform("publish", published.map(({ event }) => event.id).join(" "), () => append(published))
        .then(
          () => true,
          () => new Promise((resolve) => process.schedule(1_000, () => void keepPublishing(published).then(resolve))),
        );
    const tryArming = (name: string, periodMs: number): Promise<boolean> =>
      process
        .perform("arm", `${id} ${name}`, () => reminders.arm(id, name, periodMs))
        .then(
          () => true,
          () => false,
        );

    return {
      id,
      load: (keys) => {
        check("load");
        return process.perform("load", `${id} ${keys.join(" ")}`, () => {
          fenced();
          const stored = rows.get(id);
          const found = keys.filter((key) => stored?.has(key));
          return new Map(found.map((key) => [key, JSON.parse(stored!.get(key)!) as unknown]));
        });
      },
      commit: async ({ put: given = {}, remove = [], arm, publish = [] }) => {
        check("commit");
        const values = Object.entries(given).map(([key, value]) => [key, JSON.stringify(value)] as const);
        const published = copyOf(publish);
        const armed = embedded || arm === undefined || (await tryArming(arm.name, arm.periodMs));
        await process.perform("commit", `${id} ${Object.keys(given).join(" ")}`, () => {
          fenced();
          put(id, values, remove);
          if (!embedded) return;
          if (arm !== undefined) reminders.arm(id, arm.name, arm.periodMs);
          append(published);
        });
        const isPublished = embedded || published.length === 0 ? Promise.resolve(true) : keepPublishing(published);
        return { armed, published: isPublished };
      },
      arm: ({ name, periodMs }) => tryArming(name, periodMs),
      disarm: (name) => {
        check("disarm");
        return process.perform("disarm", `${id} ${name}`, () => reminders.disarm(id, name));
      },
    };
  };
  const doubted = (): string[] => {
    const left = new Set([...rows.values()].flatMap(doubtedIn));
    return [...everDoubted].filter((name) => !left.has(name));
  };
  return { contextOf, asks, held, doubted };
}

function doubtedIn(stored: ReadonlyMap<string, string>): string[] {
  const { entries } = JSON.parse(stored.get("outbox") ?? '{"entries":[]}') as Outbox;
  return entries.flatMap(({ to, seq, made }) => (made?.doubts === undefined ? [] : [`${to.conversation}#${seq}`]));
}
