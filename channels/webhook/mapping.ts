/**
 * What a source posts, as a message: JSONata expressions of the configuration, evaluated in a thread that is ended when it
 * takes too long. The library's own limits do not hold for a regular expression.
 *
 * @see https://docs.jsonata.org
 */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { InfrastructureError } from "../../src/errors.ts";
import type { Clock } from "../../src/ports.ts";

export interface MappingRequest {
  readonly body: unknown;
  /** In lower case; the expressions have them as $headers. */
  readonly headers: Readonly<Record<string, string>>;
}
export interface MappingSource {
  /** By the field that each gives. */
  readonly expressions: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  /** Characters of one field. */
  readonly longest: number;
}
export type MappingReply = { readonly values: Readonly<Record<string, string>> } | { readonly problem: string };

/** The expressions do not fit this event; `message` holds nothing of it. */
export class MappingError extends Error {
  override readonly name = "MappingError";
}

export interface Mapping {
  /** Fields whose expression gives nothing are absent. One event at a time. @throws MappingError */
  evaluate(request: MappingRequest): Promise<Readonly<Record<string, string>>>;
  close(): void;
}

const startMs = 10_000;
/** A thread that nobody needs costs memory. */
const idleMs = 30_000;
const resourceLimits = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 16, stackSizeMb: 4 };

export function createMapping(source: MappingSource, clock: Clock): Mapping {
  let thread: Promise<Worker> | undefined;
  let last: Promise<unknown> = Promise.resolve();
  let cancelIdle = () => {};

  async function open(): Promise<Worker> {
    const worker = new Worker(new URL("./mapping-worker.ts", import.meta.url), { workerData: source, resourceLimits });
    worker.unref();
    // Heard by whoever waits; nobody may.
    worker.on("error", () => undefined);
    try {
      await within(startMs, once(worker, "message"));
      return worker;
    } catch (error) {
      thread = undefined;
      void worker.terminate();
      throw new InfrastructureError("the thread of a mapping does not start", { cause: error });
    }
  }

  function within<T>(ms: number, work: Promise<T>): Promise<T> {
    const { promise, reject } = Promise.withResolvers<never>();
    const cancel = clock.after(ms, () => reject(new MappingError(`takes longer than ${ms} ms`)));
    return Promise.race([work, promise]).finally(cancel);
  }

  async function ask(request: MappingRequest): Promise<Readonly<Record<string, string>>> {
    cancelIdle();
    const worker = await (thread ??= open());
    try {
      const answered = once(worker, "message");
      worker.postMessage(request);
      const [reply] = (await within(source.timeoutMs, answered)) as [MappingReply];
      if ("problem" in reply) throw new MappingError(reply.problem);
      return reply.values;
    } catch (error) {
      if (error instanceof MappingError && !error.message.startsWith("takes longer")) throw error;
      thread = undefined;
      void worker.terminate();
      throw error instanceof MappingError ? error : new MappingError("ends its thread", { cause: error });
    } finally {
      cancelIdle = clock.after(idleMs, close);
    }
  }

  function close(): void {
    cancelIdle();
    void thread?.then((worker) => worker.terminate()).catch(() => undefined);
    thread = undefined;
  }

  return {
    evaluate(request) {
      const asked = last.then(() => ask(request));
      last = asked.catch(() => undefined);
      return asked;
    },
    close,
  };
}
