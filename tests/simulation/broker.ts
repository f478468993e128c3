/**
 * The message broker, which outlives every process.
 *
 * Embedded: the events of a subject one at a time, in their order. Dapr: each event by itself, to any replica, a bounded
 * number at once, again when it is not settled in time although the first handler may still run.
 */
import type { Bus, CloudEvent, DeadLetter, Topic } from "../../src/ports.ts";
import type { Process } from "./process.ts";
import type { World } from "./world.ts";

type Handler = (event: CloudEvent) => Promise<void>;

/** One published event. Handlers get copies of `json`. */
interface Row {
  readonly topic: Topic;
  readonly id: string;
  readonly subject: string;
  readonly json: string;
  readonly journey: Journey;
  failures: number;
  settled: boolean;
  /** Not handed out before then. */
  readyAt: number;
  /** Deliveries that run, by the process that has them. */
  readonly running: Set<Process>;
}

/** Where an event was and when, for the checker. */
export interface Journey {
  readonly topic: Topic;
  readonly id: string;
  readonly publisher: string;
  firstHanded?: number;
  firstHandled?: number;
}

export interface Broker {
  readonly journeys: readonly Journey[];
  readonly letters: DeadLetter[];
  busOf(process: Process): Bus;
  /** Publishes for a process as part of another write. */
  append(publisher: string, topic: Topic, events: readonly CloudEvent[]): void;
  /** Deliveries to this process begin. */
  join(process: Process): void;
  /** No new ones; resolves when none runs any more. */
  leave(process: Process): Promise<void>;
  /** What a dead process had is delivered again. */
  lost(process: Process): void;
  unsettled(): number;
}

const maxFailures = 5;
const backoffMs = (failures: number) => Math.min(30_000, 500 * 2 ** failures);

export function createBroker(world: World): Broker {
  const { loop, plan, faults } = world;
  const embedded = plan.flavour === "embedded";
  const randomOf = (row: Row) => world.streams(`${row.topic} ${row.id}`);
  const handlers = new Map<Process, Map<Topic, Handler>>();
  const joined = new Set<Process>();
  const rows: Row[] = [];
  /** Embedded: what is published per topic and subject. Dapr: what waits for a free worker. */
  const lines = new Map<string, Row[]>();
  const journeys: Journey[] = [];
  const letters: DeadLetter[] = [];
  const leaving = new Map<Process, () => void>();

  const runningAt = (process: Process, topic: Topic) =>
    rows.reduce((count, row) => count + (row.topic === topic && row.running.has(process) ? 1 : 0), 0);

  const lineOf = (row: Row): Row[] => {
    const key = embedded ? `${row.topic} ${row.subject}` : row.topic;
    let line = lines.get(key);
    if (line === undefined) lines.set(key, (line = []));
    return line;
  };

  /** Hands out what can be handed out of one line. */
  const pump = (line: Row[]): void => {
    while (line[0]?.settled) line.shift();
    for (const row of embedded ? line.slice(0, 1) : [...line]) {
      if (embedded && (row.running.size > 0 || row.readyAt > loop.now())) return;
      const free = [...joined].filter(
        (process) =>
          handlers.get(process)?.has(row.topic) && (embedded || runningAt(process, row.topic) < plan.workers),
      );
      if (free.length === 0) return;
      if (!embedded) line.splice(line.indexOf(row), 1);
      if (!row.settled) hand(row, randomOf(row).pick(free));
    }
  };

  const offer = (row: Row, ms: number): void => {
    row.readyAt = loop.now() + ms;
    loop.at(row.readyAt, () => {
      if (row.settled) return;
      const line = lineOf(row);
      if (!embedded) line.push(row);
      pump(line);
    });
  };

  const hand = (row: Row, process: Process): void => {
    const fault = faults.take("delivery", (candidate) => candidate.topic === row.topic);
    if (fault?.how === "late") return offer(row, fault.forMs);
    if (fault?.how === "twice") offer(row, fault.forMs);
    if (row.running.has(process)) return offer(row, 20);
    row.running.add(process);
    row.journey.firstHanded ??= loop.now();
    world.note(process.name, () => `← ${row.topic} ${row.id}`);
    let open = true;
    if (!embedded) loop.at(loop.now() + plan.processingMs, () => open && process.alive && offer(row, 0));
    const over = (againMs: number | undefined) => {
      open = false;
      row.running.delete(process);
      if (againMs !== undefined) offer(row, againMs);
      pump(lineOf(row));
      if (rows.every((other) => !other.running.has(process))) leaving.get(process)?.();
    };
    handlers.get(process)!.get(row.topic)!(JSON.parse(row.json) as CloudEvent)
      .then(
        async () => {
          row.journey.firstHandled ??= loop.now();
          if (fault?.how === "unacknowledged") return plan.processingMs;
          await settle(row, process);
          return undefined;
        },
        (error: unknown) => failed(row, process, error),
      )
      .then(over, () => over(1_000));
  };

  const settle = (row: Row, process: Process) =>
    process.perform("settle", `${row.topic} ${row.id}`, () => {
      row.settled = true;
    });

  /** @returns after how long it is delivered again; undefined when it is given up. */
  const failed = async (row: Row, process: Process, error: unknown): Promise<number | undefined> => {
    const fate = world.subject.errors.fateOf(error);
    world.note(process.name, () => `✗ ${row.topic} ${row.id}: ${String(error)}`);
    if (fate.kind === "retry" && row.failures + (fate.counts ? 1 : 0) < maxFailures) {
      if (fate.counts) await process.perform("settle", `failure of ${row.id}`, () => void row.failures++);
      return fate.afterMs ?? backoffMs(row.failures);
    }
    await process.perform("settle", `dead letter ${row.id}`, () => {
      if (row.settled) return;
      row.settled = true;
      letters.push({
        id: `${row.topic} ${row.id}`,
        topic: row.topic,
        event: JSON.parse(row.json) as CloudEvent,
        reason: String(error),
        attempts: row.failures + 1,
        at: loop.now(),
      });
    });
    return undefined;
  };

  const append = (publisher: string, topic: Topic, events: readonly CloudEvent[]): void => {
    for (const event of events) {
      const journey: Journey = { topic, id: event.id, publisher };
      const json = JSON.stringify(event);
      const { id, subject } = event;
      const row: Row = {
        topic,
        id,
        subject,
        json,
        journey,
        failures: 0,
        settled: false,
        readyAt: 0,
        running: new Set(),
      };
      rows.push(row);
      journeys.push(journey);
      if (embedded) lineOf(row).push(row);
      const random = randomOf(row);
      offer(row, embedded ? 0 : random.between(0, random.chance(0.05) ? 4_000 : 40));
    }
  };

  return {
    journeys,
    letters,
    append,
    busOf: (process) => ({
      ordered: embedded,
      isolated: plan.isolated,
      publish: (topic, events) =>
        process.perform("publish", `${topic} ${events.map((event) => event.id).join(" ")}`, () =>
          append(process.name, topic, events),
        ),
      subscribe: (topic, handler) => {
        const own = handlers.get(process) ?? new Map<Topic, Handler>();
        handlers.set(process, own.set(topic, handler));
      },
    }),
    join: (process) => {
      joined.add(process);
      for (const line of lines.values()) pump(line);
    },
    leave: (process) => {
      joined.delete(process);
      if (rows.every((row) => !row.running.has(process))) return Promise.resolve();
      return new Promise((resolve) => leaving.set(process, resolve));
    },
    lost: (process) => {
      joined.delete(process);
      for (const row of rows) {
        if (!row.running.delete(process) || row.settled) continue;
        offer(row, embedded ? 0 : randomOf(row).between(100, plan.processingMs));
      }
    },
    unsettled: () => rows.filter((row) => !row.settled).length,
  };
}
