/** The scheduler of jobs, outside every process: each is handed to one process until that has done it, again after a failure. */
import type { Jobs } from "../../src/ports.ts";
import type { Process } from "./process.ts";
import { copyOf, type World } from "./world.ts";

type Handler = (name: string, data: unknown) => Promise<unknown>;

/** One try to do a job. */
export interface JobRun {
  readonly name: string;
  readonly startedAt: number;
  /** When it was done; absent where it failed, or nobody knows. */
  doneAt?: number;
}

export interface Scheduler {
  readonly runs: readonly JobRun[];
  of(process: Process): Pick<Jobs, "schedule" | "cancel">;
  join(process: Process, handler: Handler): void;
  /** Those that are still to be done. */
  left(): string[];
}

interface Row {
  readonly name: string;
  readonly data: unknown;
  failures: number;
}

const backoffMs = (failures: number) => Math.min(30_000, 500 * 2 ** failures);

export function createScheduler(world: World): Scheduler {
  const { loop } = world;
  const random = world.streams("jobs");
  const rows = new Map<string, Row>();
  const handlers = new Map<Process, Handler>();
  const runs: JobRun[] = [];

  const later = (row: Row, ms: number): void => {
    loop.at(loop.now() + ms, () => hand(row));
  };

  /** A row that was replaced or cancelled is over. */
  const hand = (row: Row): void => {
    if (rows.get(row.name) !== row) return;
    const ready = [...handlers].filter(([process]) => !process.stopping);
    if (ready.length === 0) return later(row, 1_000);
    const [process, handler] = random.pick(ready);
    const run: JobRun = { name: row.name, startedAt: loop.now() };
    runs.push(run);
    world.note(process.name, () => `job ${row.name}`);
    let open = true;
    const over = (ms: number | undefined) => {
      if (!open) return;
      open = false;
      if (ms !== undefined) later(row, ms);
    };
    process.onDeath(() => over(random.between(50, 2_000)));
    handler(row.name, copyOf(row.data))
      .then(() => {
        run.doneAt = loop.now();
        return process.perform("job", `${row.name} is done`, () => {
          if (rows.get(row.name) === row) rows.delete(row.name);
        });
      })
      .then(
        () => over(undefined),
        (error: unknown) => {
          world.note(process.name, () => `✗ job ${row.name}: ${String(error)}`);
          over(backoffMs(row.failures++));
        },
      );
  };

  return {
    runs,
    of: (process) => ({
      schedule: (name, when, data) => {
        if (!("dueAt" in when)) throw new TypeError("periodic jobs are not simulated");
        const dueMs = when.dueAt - process.clock.now();
        return process.perform("job", `${name} is scheduled`, () => {
          const row: Row = { name, data: copyOf(data), failures: 0 };
          rows.set(name, row);
          later(row, Math.max(0, dueMs));
        });
      },
      cancel: (name) => process.perform("job", `${name} is cancelled`, () => void rows.delete(name)),
    }),
    join: (process, handler) => {
      handlers.set(process, handler);
      process.onDeath(() => handlers.delete(process));
    },
    left: () => [...rows.keys()],
  };
}
