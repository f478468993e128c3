/**
 * Publish and subscribe through the sidecar. Brokers deliver concurrently and out of order: order is the core's own.
 *
 * The sidecar delivers without end until it is answered, and it is answered within {@link answerMs}: an event that fails is
 * tried again here first, then left to the sidecar. Failures that count are counted in a record, so that a restart forgets
 * none; after five the event goes to the topic of dead letters and is acknowledged.
 */
import { fateOf, InfrastructureError, OverloadedError, reasonOf } from "../../src/errors.ts";
import type { Bus, Clock, CloudEvent, DeadLetter, Log, Topic } from "../../src/ports.ts";
import type { DaprRecords } from "./records.ts";
import { unexpected, type Sidecar } from "./sidecar.ts";

/** Where dead letters go: the component and the topic have this name. */
export const deadLetterTopic = "deadletters";

export type Answered = "SUCCESS" | "RETRY";

export interface DaprBus extends Bus {
  /** The topics that somebody subscribed to. */
  subscribed(): readonly Topic[];
  /** The sidecar delivers. Never rejects. */
  deliver(topic: Topic, event: CloudEvent): Promise<Answered>;
  /** The broker hands out one event of a partition at a time. */
  partitioned(): void;
  /** A new sidecar delivers anew what the old one was not answered. */
  forget(): void;
  /** No new deliveries. Resolves when no handler runs any more. */
  stop(): Promise<void>;
}

export interface BusOptions {
  readonly sidecar: Sidecar;
  readonly records: DaprRecords;
  readonly clock: Clock;
  readonly log: Log;
}

const answerMs = 18_000;
const mostAttempts = 5;
const backoff = { firstMs: 200, mostMs: 8_000 } as const;
/** Publishes under way; more are refused before anything is accepted. */
const mostPublishing = 2_000;
const countedMs = 2 * 86_400_000;
/** What the sidecar adds to an event on its way. */
const added = ["pubsubname", "topic", "traceid", "traceparent", "tracestate"];

export function createBus({ sidecar, records, clock, log }: BusOptions): DaprBus {
  const handlers = new Map<Topic, (event: CloudEvent) => Promise<void>>();
  /** By topic and id: the sidecar may deliver again what is still being handled. */
  const running = new Map<string, Promise<void>>();
  /** The last publish of a subject: the next one begins after it, so that brokers that keep order are given it. */
  const lanes = new Map<string, Promise<void>>();
  let publishing = 0;
  let stopping = false;
  let isolated = true;

  async function send(topic: string, event: CloudEvent): Promise<void> {
    const path = `/v1.0/publish/${topic}/${topic}?metadata.partitionKey=${encodeURIComponent(event.subject)}`;
    const answer = await sidecar.call("POST", path, {
      body: JSON.stringify(event),
      type: "application/cloudevents+json",
    });
    if (answer.status !== 204 && answer.status !== 200)
      throw unexpected(`nothing can be published on ${topic}`, answer);
  }

  async function sendAll(topic: Topic, events: readonly CloudEvent[], after: Promise<void> | undefined): Promise<void> {
    await after;
    for (const event of events) await send(topic, event);
  }

  function inLane(topic: Topic, subject: string, events: readonly CloudEvent[]): Promise<void> {
    const lane = `${topic} ${subject}`;
    const sent = sendAll(topic, events, lanes.get(lane));
    const tail = sent.then(ended, ended);
    lanes.set(lane, tail);
    function ended(): void {
      if (lanes.get(lane) === tail) lanes.delete(lane);
    }
    return sent;
  }

  /** Once per event at a time, whoever asks. A copy that names others before it says something that the first one did not. */
  function handle(topic: Topic, event: CloudEvent): Promise<void> {
    const key = [topic, event.id, event.previous, event.earlier].join(" ");
    const known = running.get(key);
    if (known !== undefined) return known;
    const handler = handlers.get(topic);
    if (handler === undefined) return Promise.reject(new InfrastructureError(`nobody subscribed to ${topic}`));
    const handled = handler(event);
    running.set(key, handled);
    const ended = () => {
      if (running.get(key) === handled) running.delete(key);
    };
    handled.then(ended, ended);
    return handled;
  }

  async function deliver(topic: Topic, given: CloudEvent): Promise<Answered> {
    const event = withoutAdded(given);
    const until = clock.monotonic() + answerMs;
    for (let tries = 0; !stopping; tries++) {
      const outcome = await within(handle(topic, event), until - clock.monotonic(), clock);
      if (outcome === "done") {
        if (tries > 0) forgetFailures(topic, event);
        return "SUCCESS";
      }
      // Still at work: delivered again, it joins what runs.
      if (outcome === "late") return "RETRY";
      const waitMs = await failed(topic, event, outcome.error, tries);
      if (waitMs === undefined) return "SUCCESS";
      if (clock.monotonic() + waitMs > until) return "RETRY";
      await new Promise<void>((resolve) => clock.after(waitMs, resolve));
    }
    return "RETRY";
  }

  /** @returns how long to wait before it is tried again; undefined once it is a dead letter. */
  async function failed(topic: Topic, event: CloudEvent, error: unknown, tries: number): Promise<number | undefined> {
    const fate = fateOf(error);
    const fields = { topic, reason: reasonOf(error) };
    const usualMs = Math.min(backoff.firstMs * 2 ** tries, backoff.mostMs) * (1 + Math.random() / 4);
    try {
      if (fate.kind === "retry" && !fate.counts) {
        log.debug(fields, "a delivery failed and is tried again");
        return fate.afterMs ?? usualMs;
      }
      const attempts = await count(topic, event);
      if (fate.kind === "retry" && attempts < mostAttempts) {
        log.debug({ ...fields, attempts }, "a delivery failed and is tried again");
        return fate.afterMs ?? usualMs;
      }
      await bury(topic, event, { reason: fields.reason, attempts });
      log.warn({ ...fields, attempts }, "an event became a dead letter");
      return undefined;
    } catch (trouble) {
      log.warn(
        { ...fields, trouble: reasonOf(trouble) },
        "a failed delivery cannot be recorded now; it is tried again",
      );
      return usualMs;
    }
  }

  const failuresOf = (topic: Topic, event: CloudEvent) => `failures:${topic}:${event.source}:${event.id}`;

  async function count(topic: Topic, event: CloudEvent): Promise<number> {
    const key = failuresOf(topic, event);
    const attempts = (Number((await records.get(key))?.value) || 0) + 1;
    await records.put(key, attempts, { ttlMs: countedMs });
    return attempts;
  }

  function forgetFailures(topic: Topic, event: CloudEvent): void {
    records.remove(failuresOf(topic, event)).catch(() => {
      // It is forgotten by itself after its time.
    });
  }

  async function bury(topic: Topic, event: CloudEvent, why: Pick<DeadLetter, "reason" | "attempts">): Promise<void> {
    const at = Math.round(clock.now());
    const letter: DeadLetter = { id: `${topic}:${event.id}`, topic, event, ...why, at };
    const { subject, source } = event;
    await send(deadLetterTopic, {
      specversion: "1.0",
      id: letter.id,
      source,
      type: "ascent.deadletter",
      time: new Date(at).toISOString(),
      datacontenttype: "application/json",
      subject,
      data: letter,
    });
    forgetFailures(topic, event);
  }

  return {
    ordered: false,
    get isolated() {
      return isolated;
    },
    partitioned() {
      isolated = false;
    },
    async publish(topic, events) {
      if (publishing + events.length > mostPublishing && events.length > 0)
        throw new OverloadedError(`Too many events are on their way to topic "${topic}".`);
      publishing += events.length;
      try {
        const bySubject = Map.groupBy(events, ({ subject }) => subject);
        const sent = [...bySubject].map(([subject, own]) => inLane(topic, subject, own));
        for (const outcome of await Promise.allSettled(sent)) if (outcome.status === "rejected") throw outcome.reason;
      } finally {
        publishing -= events.length;
      }
    },
    subscribe(topic, handler) {
      handlers.set(topic, handler);
    },
    subscribed: () => [...handlers.keys()],
    deliver,
    forget: () => running.clear(),
    async stop() {
      stopping = true;
      await Promise.allSettled(running.values());
    },
  };
}

type Ended = "done" | "late" | { readonly error: unknown };

async function within(work: Promise<void>, ms: number, clock: Clock): Promise<Ended> {
  const late = Promise.withResolvers<Ended>();
  const cancel = clock.after(ms, () => late.resolve("late"));
  const ended = work.then(
    (): Ended => "done",
    (error: unknown): Ended => ({ error }),
  );
  try {
    return await Promise.race([ended, late.promise]);
  } finally {
    cancel();
  }
}

function withoutAdded(event: CloudEvent): CloudEvent {
  return Object.fromEntries(Object.entries(event).filter(([name]) => !added.includes(name))) as unknown as CloudEvent;
}
