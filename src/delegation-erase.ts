/** Has agents that were asked for somebody erase what they hold of it: at once, and by a job for those that cannot be reached. */
import { z } from "zod";
import { reasonOf, RetryableError } from "./errors.ts";
import { digestOf } from "./ids.ts";
import type { Peers } from "./peers.ts";
import type { Clock, Log, Runtime } from "./ports.ts";
import { taskCaller, type TaskCaller } from "./skilled.ts";

export interface Erasure {
  /** Resolves when it was tried. */
  at(peer: string, caller: TaskCaller): Promise<void>;
  /** A job of this name is due. False where it is another's. */
  run(job: string, data: unknown): Promise<boolean>;
}

const wish = z.object({ peer: z.string(), caller: taskCaller, since: z.number(), n: z.number() });
type Wish = z.infer<typeof wish>;

const prefix = "delegation-erase:";
/** Beyond the longest that a run takes to end. */
const callMs = 30_000;
/** Longer than an agent of ours keeps a task that has ended. */
const patienceMs = 8 * 24 * 3_600_000;
const mostWaitMs = 3_600_000;

export function createErasure({
  jobs,
  peers,
  clock,
  log,
}: Pick<Runtime, "jobs"> & { readonly peers: Peers; readonly clock: Clock; readonly log: Log }): Erasure {
  const jobOf = ({ peer, caller }: Wish) => `${prefix}${digestOf(JSON.stringify([peer, caller.tenant, caller.id]))}`;

  async function attempt(of: Wish): Promise<void> {
    const job = jobOf(of);
    const n = of.n + 1;
    // Before anything else: a process that dies here has said nothing yet.
    await jobs.schedule(
      job,
      { dueAt: clock.now() + Math.max(2 * callMs, Math.min(1_000 * 2 ** n, mostWaitMs)) },
      { ...of, n },
    );
    try {
      const peer = await peers.of(of.peer);
      if (peer === undefined) throw new RetryableError("it is not there now");
      const offers = await peer.erase(of.caller, undefined, AbortSignal.timeout(callMs));
      if (!offers) log.info({ peer: of.peer }, "an agent keeps what it was asked: it does not offer to erase it");
    } catch (error) {
      const about = { peer: of.peer, reason: reasonOf(error) };
      const again = error instanceof RetryableError && clock.now() - of.since < patienceMs;
      log.warn(
        about,
        `an agent could not be asked to erase what it holds of somebody${again ? ": it is asked again" : ""}`,
      );
      if (again) return;
    }
    await jobs.cancel(job);
  }

  return {
    at: (peer, caller) => attempt({ peer, caller, since: clock.now(), n: 0 }),
    async run(job, data) {
      if (!job.startsWith(prefix)) return false;
      await attempt(wish.parse(data));
      return true;
    },
  };
}
