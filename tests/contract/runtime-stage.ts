import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { AgentId } from "../../src/ids.ts";
import type { Actor, ActorContext, CloudEvent, Runtime, Topic } from "../../src/ports.ts";

export interface RuntimeSubject {
  /** Not started: a test subscribes and registers first. */
  readonly runtime: Runtime;
  /** Stops the last one at once, as a crash would where that is possible, and opens the same data again; not started. */
  restart(): Promise<Runtime>;
  /** Ends the last one and removes its data. */
  cleanup(): Promise<void>;
}

/** Declares a test that starts with a runtime of its own. */
export type Check = (title: string, run: (stage: Stage) => Promise<void>) => void;

/** What a test of the contract works with. Names are unique, since implementations may share a broker between tests. */
export interface Stage {
  /** The running one; another one after {@link restart}. */
  readonly runtime: Runtime;
  restart(): Promise<Runtime>;
  unique(label: string): string;
  agent(label: string): AgentId;
  event(subject: string, n: number): CloudEvent<{ readonly n: number }>;
  /** Waits until it holds; fails with `what` after some seconds. */
  until(holds: () => boolean | Promise<boolean>, what: string): Promise<void>;
  /** Long enough for what must not happen to have happened. */
  quiet(ms: number): Promise<void>;
  readonly slowness: number;
}

export function createStage(subject: RuntimeSubject, slowness: number): Stage {
  const life = randomUUID().slice(0, 8);
  let runtime = subject.runtime;
  return {
    get runtime() {
      return runtime;
    },
    async restart() {
      runtime = await subject.restart();
      return runtime;
    },
    unique: (label) => `${label}-${life}`,
    agent: (label) => `${label}-${life}` as AgentId,
    event: (label, n) => ({
      specversion: "1.0",
      id: `${label}-${life}-${n}`,
      source: "contract",
      type: "contract.event",
      time: new Date().toISOString(),
      datacontenttype: "application/json",
      subject: `${label}-${life}`,
      data: { n },
    }),
    async until(holds, what) {
      const steps = 800 * slowness;
      for (let step = 0; step < steps; step += 1) {
        if (await holds()) return;
        await sleep(10);
      }
      throw new Error(`never happened: ${what}`);
    },
    quiet: (ms) => sleep(ms * slowness),
    slowness,
  };
}

export const numberOf = (event: CloudEvent): number => (event.data as { n: number }).n;

export function range(count: number, from = 0): number[] {
  return Array.from({ length: count }, (_, at) => from + at);
}

/** Records every delivery of a topic and does what `handle` says. */
export function recorder(
  runtime: Runtime,
  topic: Topic,
  handle: (event: CloudEvent) => Promise<void> = async () => undefined,
): { readonly seen: CloudEvent[]; of(subject: string): number[] } {
  const seen: CloudEvent[] = [];
  runtime.bus.subscribe(topic, async (event) => {
    seen.push(event);
    await handle(event);
  });
  return { seen, of: (subject) => seen.filter((event) => event.subject === subject).map(numberOf) };
}

/** Registers actors whose methods are these functions; what is not given does nothing. */
export function host(
  runtime: Runtime,
  make: (context: ActorContext) => {
    readonly methods?: Readonly<Record<string, (data: never) => Promise<unknown>>>;
    readonly remind?: (name: string) => Promise<void>;
  },
): void {
  runtime.actors.register(async (context): Promise<Actor> => {
    const { methods = {}, remind } = make(context);
    return {
      call: async (method, data) => methods[method]?.(data as never),
      remind: async (name) => remind?.(name),
    };
  });
}
