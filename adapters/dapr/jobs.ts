/** Jobs on Dapr's scheduler. One that fails is scheduled again with backoff, and where that fails the scheduler asks again. */
import { reasonOf } from "../../src/errors.ts";
import type { Clock, Jobs, Log } from "../../src/ports.ts";
import { unexpected, type Sidecar } from "./sidecar.ts";
import { decodeName, segment } from "./wire.ts";

export interface DaprJobs extends Jobs {
  /** The sidecar says that it is time. Rejects where the scheduler shall ask again. */
  run(wireName: string, payload: unknown): Promise<void>;
}

interface Payload {
  readonly data: unknown;
  /** Runs that failed since it was scheduled; absent for a periodic one, whose next run is the next try. */
  readonly failures?: number;
}

const backoff = { firstMs: 500, mostMs: 300_000 } as const;
/** The alpha path is there in this and in the previous minor version. */
const path = (name: string) => `/v1.0-alpha1/jobs/${segment(name)}`;

export function createJobs({ sidecar, clock, log }: { sidecar: Sidecar; clock: Clock; log: Log }): DaprJobs {
  let handler: ((name: string, data: unknown) => Promise<void>) | undefined;

  async function write(name: string, when: Record<string, unknown>, payload: Payload): Promise<void> {
    // Without an end: what cannot be handed over now is handed over later.
    const failurePolicy = { constant: { interval: "2s" } };
    const body = JSON.stringify({ ...when, data: payload, overwrite: true, failurePolicy });
    const answer = await sidecar.call("POST", path(name), { body });
    if (answer.status !== 204 && answer.status !== 200) throw unexpected("a job cannot be scheduled", answer);
  }

  // As a span, which the scheduler's own clock measures: by a time of ours, of a clock that is behind its, it would be due at once.
  const once = (dueAt: number) => ({ dueTime: `${Math.max(0, Math.ceil(dueAt - clock.now()))}ms` });

  return {
    schedule: (name, when, data) =>
      "dueAt" in when
        ? write(name, once(when.dueAt), { data, failures: 0 })
        : write(name, { schedule: `@every ${when.everyMs}ms` }, { data }),
    async cancel(name) {
      const answer = await sidecar.call("DELETE", path(name));
      if (answer.status !== 204 && answer.status !== 200 && answer.status !== 404)
        throw unexpected("a job cannot be cancelled", answer);
    },
    handle(given) {
      handler = given;
    },
    async run(wireName, payload) {
      const name = decodeName(wireName);
      const { data, failures } = payload as Payload;
      try {
        if (handler === undefined) throw new Error("no handler of jobs is set");
        await handler(name, data);
      } catch (error) {
        log.warn({ job: name, failures, reason: reasonOf(error) }, "a job failed and is tried again");
        if (failures === undefined) return;
        const waitMs = Math.min(backoff.firstMs * 2 ** failures, backoff.mostMs);
        await write(name, once(clock.now() + waitMs), { data, failures: failures + 1 });
      }
    },
  };
}
