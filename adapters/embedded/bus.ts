/**
 * Publish and subscribe over rows of the file. A published event goes from the publisher straight to the handler once it is
 * committed; only its place in the order stays in memory beyond the window. Leases are in memory: at a start every row
 * that is left is delivered again, each subject in its order.
 */
import { fateOf, OverloadedError, reasonOf } from "../../src/errors.ts";
import { tenantOf } from "../../src/ids.ts";
import { topics, type Bus, type Clock, type CloudEvent, type Log, type Topic } from "../../src/ports.ts";
import { createShares, unshared } from "../../src/shares.ts";
import { createBacklog, type Backlog } from "./backlog.ts";
import { createLanes, type Lanes } from "./lanes.ts";
import type { Limits } from "./limits.ts";
import type { Store } from "./store.ts";

/** An event on its way into a transaction: `write` runs inside it (maybe twice), then either `committed` or `failed`. */
export interface Staged {
  write(): void;
  committed(): void;
  failed(): void;
}

export interface EmbeddedBus extends Bus {
  /** For a transaction of somebody else's. Never refused: what the core owes already has to be published. */
  stage(topic: Topic, event: CloudEvent): Staged;
  start(): void;
  /** No new deliveries. Resolves when no handler runs any more. */
  stop(): Promise<void>;
}

interface Row {
  readonly seq: number;
  readonly tenant: string;
  readonly bytes: number;
  /** Absent: read from the file when its turn comes. */
  readonly event: CloudEvent | undefined;
  attempts: number;
  /** Deliveries in this process: what the backoff grows with. */
  tries: number;
}

interface TopicState {
  readonly name: Topic;
  readonly at: number;
  readonly lanes: Lanes<Row>;
  readonly backlog: Backlog;
  handler: ((event: CloudEvent) => Promise<void>) | undefined;
}

const mostAttempts = 5;
const firstBackoffMs = 200;
const longestBackoffMs = 30_000;

/** 200 ms doubled per failure up to 30 s, and up to a quarter more so that what failed together does not return together. */
export function backoffMs(failures: number): number {
  const base = Math.min(firstBackoffMs * 2 ** Math.min(failures - 1, 10), longestBackoffMs / 1.25);
  return Math.round(base * (1 + Math.random() / 4));
}

export interface BusOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: Limits;
}

export function createBus({ store, clock, log, limits }: BusOptions): EmbeddedBus {
  const insert = store.prepare("INSERT INTO bus (seq, topic, subject, event) VALUES (?, ?, ?, ?)");
  const remove = store.prepare("DELETE FROM bus WHERE seq = ?");
  const read = store.prepare("SELECT event FROM bus WHERE seq = ?");
  const count = store.prepare("UPDATE bus SET attempts = ? WHERE seq = ?");
  const bury = store.prepare(`
    INSERT OR REPLACE INTO dead (id, topic, event, reason, attempts, at)
    SELECT ? || CASE WHEN json_valid(event) THEN event ->> '$.id' ELSE seq END, topic, event, ?, ?, ?
    FROM bus WHERE seq = ?`);
  let nextSeq = 1;
  const whose = limits.shared ? tenantOf : () => "";
  const mostOf = limits.shared ? () => undefined : unshared;

  const states = topics.map((name, at): TopicState => {
    const places = createShares(limits.handlers, mostOf);
    const lanes = createLanes<Row>({ places, tenantOf: whose, clock, handle: (row) => deliver(state, row) });
    const state: TopicState = { name, at, lanes, backlog: createBacklog(name, limits), handler: undefined };
    return state;
  });
  const stateOf = (topic: Topic): TopicState => states[topics.indexOf(topic)] as TopicState;

  for (const left of store
    .prepare("SELECT seq, topic, subject, attempts, octet_length(event) AS bytes FROM bus ORDER BY seq")
    .iterate()) {
    const { seq, topic, subject, attempts, bytes } = left as Record<string, number> & { subject: string };
    const state = states[topic as number] as TopicState;
    const tenant = whose(subject);
    state.backlog.add(tenant, bytes as number);
    const row = {
      seq: seq as number,
      tenant,
      bytes: bytes as number,
      event: undefined,
      attempts: attempts as number,
      tries: 0,
    };
    state.lanes.add(subject, row);
    nextSeq = row.seq + 1;
  }

  function stage(topic: Topic, event: CloudEvent): Staged {
    const state = stateOf(topic);
    const text = JSON.stringify(event);
    const seq = nextSeq++;
    const bytes = text.length;
    const tenant = whose(event.subject);
    state.backlog.add(tenant, bytes);
    return {
      write: () => void insert.run(seq, state.at, event.subject, text),
      committed() {
        const kept = state.backlog.keep(tenant, state.lanes.depth(event.subject), bytes);
        state.lanes.add(event.subject, { seq, tenant, bytes, event: kept ? event : undefined, attempts: 0, tries: 0 });
      },
      failed: () => state.backlog.remove(tenant, bytes),
    };
  }

  async function deliver(state: TopicState, row: Row): Promise<number | undefined> {
    try {
      await state.handler?.(row.event ?? eventOf(row));
    } catch (error) {
      return await failed(state, row, error);
    }
    store.later(() => void remove.run(row.seq));
    done(state, row);
    return undefined;
  }

  function eventOf(row: Row): CloudEvent {
    const stored = read.get(row.seq) as { event: string };
    return JSON.parse(stored.event) as CloudEvent;
  }

  function done(state: TopicState, row: Row): void {
    state.backlog.remove(row.tenant, row.bytes);
    if (row.event !== undefined) state.backlog.release(row.tenant, row.bytes);
  }

  async function failed(state: TopicState, row: Row, error: unknown): Promise<number | undefined> {
    const fate = fateOf(error);
    const attempts = row.attempts + (fate.kind === "terminal" || fate.counts ? 1 : 0);
    const fields = { topic: state.name, attempts, reason: reasonOf(error) };
    row.tries += 1;
    if (fate.kind === "terminal" || attempts >= mostAttempts) {
      if (!(await buried(state, row, attempts, fields.reason))) return backoffMs(row.tries);
      log.warn(fields, "an event became a dead letter");
      done(state, row);
      return undefined;
    }
    if (attempts > row.attempts) {
      row.attempts = attempts;
      store.later(() => void count.run(attempts, row.seq));
    }
    log.debug(fields, "a delivery failed and is tried again");
    return fate.afterMs ?? backoffMs(row.tries);
  }

  /** False when the store cannot write now: the event is delivered again later. */
  async function buried(state: TopicState, row: Row, attempts: number, reason: string): Promise<boolean> {
    try {
      await store.write(() => {
        bury.run(`${state.name}:`, reason, attempts, Math.round(clock.now()), row.seq);
        remove.run(row.seq);
      });
      return true;
    } catch (error) {
      log.error({ topic: state.name, reason: reasonOf(error) }, "a dead letter could not be written");
      return false;
    }
  }

  function refuseFlood(state: TopicState, events: readonly CloudEvent[]): void {
    for (const event of events) {
      state.backlog.check(whose(event.subject), events.length);
      if (state.lanes.depth(event.subject) + events.length <= limits.backlogPerSubject) continue;
      throw new OverloadedError(`Too many events of one conversation wait in topic "${state.name}".`);
    }
  }

  return {
    ordered: true,
    isolated: true,
    stage,
    async publish(topic, events) {
      if (events.length === 0) return;
      const state = stateOf(topic);
      refuseFlood(state, events);
      const staged = events.map((event) => stage(topic, event));
      await store.write(
        () => {
          for (const each of staged) each.write();
        },
        {
          committed: () => {
            for (const each of staged) each.committed();
          },
          failed: () => {
            for (const each of staged) each.failed();
          },
        },
      );
    },
    subscribe(topic, handler) {
      stateOf(topic).handler = handler;
    },
    start() {
      for (const state of states) if (state.handler !== undefined) state.lanes.start();
    },
    async stop() {
      await Promise.all(states.map((state) => state.lanes.stop()));
    },
  };
}
