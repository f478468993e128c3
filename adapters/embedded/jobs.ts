/**
 * Named jobs as rows with their next time on the wall clock, and one timer for the earliest. A periodic job that is
 * scheduled again with the same period keeps its next time, so that one with a long period comes round although the
 * gateway restarts more often than that.
 */
import { InfrastructureError, reasonOf } from "../../src/errors.ts";
import type { Clock, Jobs, Log } from "../../src/ports.ts";
import { backoffMs } from "./bus.ts";
import type { Store } from "./store.ts";

export interface EmbeddedJobs extends Jobs {
  start(): void;
  /** No new ones. Resolves when none runs any more. */
  stop(): Promise<void>;
}

interface Row {
  readonly name: string;
  readonly every: number | null;
  readonly data: string;
  readonly failures: number;
}

export interface JobsOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  /** Jobs that run at once. */
  readonly cap: number;
}

/** The wall clock may be set meanwhile: look at least this often. */
const longestTimerMs = 60_000;
const afterFailureMs = 1000;

export function createJobs({ store, clock, log, cap }: JobsOptions): EmbeddedJobs {
  const put = store.prepare(`
    INSERT INTO job (name, due, every, data) VALUES (?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET
      due = CASE WHEN every = excluded.every THEN min(due, excluded.due) ELSE excluded.due END,
      every = excluded.every, data = excluded.data, failures = 0`);
  const remove = store.prepare("DELETE FROM job WHERE name = ?");
  const due = store.prepare("SELECT name, every, data, failures FROM job WHERE due <= ? ORDER BY due LIMIT ?");
  const later = store.prepare("UPDATE job SET due = ?, failures = ? WHERE name = ?");
  const earliest = store.prepare("SELECT min(due) AS due FROM job WHERE due > ?");

  /** Running jobs; true once the name was scheduled or cancelled again, which overrides what the run's end would write. */
  const running = new Map<string, boolean>();
  const stopped = Promise.withResolvers<void>();
  let handler: ((name: string, data: unknown) => Promise<void>) | undefined;
  let open = false;
  let cancelTimer: (() => void) | undefined;

  function look(): void {
    cancelTimer?.();
    cancelTimer = undefined;
    if (!open || handler === undefined) return;
    const now = Math.round(clock.now());
    for (const row of due.all(now, cap + running.size) as unknown as Row[]) {
      if (running.size < cap && !running.has(row.name)) void run(row);
    }
    const next = (earliest.get(now) as { due: number | null }).due;
    if (next === null) return;
    cancelTimer = clock.after(Math.min(Math.max(next - clock.now(), 1), longestTimerMs), look);
  }

  async function run(row: Row): Promise<void> {
    running.set(row.name, false);
    let failures = 0;
    try {
      await handler?.(row.name, JSON.parse(row.data));
    } catch (error) {
      failures = row.failures + 1;
      log.warn({ job: row.name, failures, reason: reasonOf(error) }, "a job failed and is tried again");
    }
    const written = await ended(row, failures);
    running.delete(row.name);
    if (!open && running.size === 0) stopped.resolve();
    if (written) look();
    else clock.after(afterFailureMs, look);
  }

  /** False when the store cannot write: the job runs again. */
  async function ended({ name, every }: Row, failures: number): Promise<boolean> {
    try {
      await store.write(() => {
        if (running.get(name) === true) return;
        const now = Math.round(clock.now());
        if (failures > 0) later.run(now + backoffMs(failures), failures, name);
        else if (every === null) remove.run(name);
        else later.run(now + every, 0, name);
      });
      return true;
    } catch (error) {
      log.warn({ job: name, reason: reasonOf(error) }, "the end of a job could not be written: it runs again");
      return false;
    }
  }

  function override(name: string): void {
    if (running.has(name)) running.set(name, true);
  }

  return {
    async schedule(name, when, data) {
      const text = JSON.stringify(data ?? null);
      const every = "everyMs" in when ? Math.max(Math.round(when.everyMs), 1) : null;
      const at = "everyMs" in when ? clock.now() + when.everyMs : when.dueAt;
      await store.write(
        () => {
          override(name);
          put.run(name, Math.round(at), every, text);
        },
        { committed: look },
      );
    },
    async cancel(name) {
      await store.write(() => {
        override(name);
        remove.run(name);
      });
    },
    handle(given) {
      handler = given;
    },
    start() {
      open = true;
      if (handler === undefined && earliest.get(0)?.["due"] != null) {
        throw new InfrastructureError("Jobs are scheduled but nothing handles them.");
      }
      look();
    },
    stop() {
      open = false;
      cancelTimer?.();
      if (running.size === 0) stopped.resolve();
      return stopped.promise;
    },
  };
}
