/** The embedded runtime: one process, one SQLite file, nothing to install. */
import { DataError } from "./data-error.ts";
import { InfrastructureError } from "../../src/errors.ts";
import type { Clock, Jobs, Log, Runtime } from "../../src/ports.ts";
import { createContext } from "./actor-context.ts";
import { createActorState } from "./actor-state.ts";
import { createActors } from "./actors.ts";
import { createBlobs } from "./blobs.ts";
import { createBus } from "./bus.ts";
import { makeDirectory, openDatabase } from "./database.ts";
import { createDeadLetters } from "./dead-letters.ts";
import { createJobs } from "./jobs.ts";
import { createJournal } from "./journal.ts";
import { defaultLimits, type Limits } from "./limits.ts";
import { acquireLock } from "./lock.ts";
import { createMaintenance } from "./maintenance.ts";
import { createRecords } from "./records.ts";
import { createReminders, type Reminders } from "./reminders.ts";
import { createStore, type Store } from "./store.ts";
import { createTranscript } from "./transcript.ts";
import { createWorkflows } from "./workflows.ts";

export interface EmbeddedOptions {
  readonly directory: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits?: Partial<Limits>;
  /** The secret of a name; by default there are none. */
  readonly secrets?: (name: string) => string | undefined;
}

export interface EmbeddedRuntime extends Runtime {
  /** Tells other processes of this user (the CLI) about this one, for example the address of its control interface. */
  describe(info: Readonly<Record<string, string>>): void;
  /** For tests and the bench: how many actors are in memory, how many commits were made, and the file itself. */
  readonly inside: { active(): number; commits(): number; readonly store: Store };
}

/**
 * Opens the data, alone: the lock is held until {@link Runtime.stop} or the process's death.
 * @throws DataError, whose message says what to do: another gateway has the data, the directory cannot be written, the
 * file is damaged or newer than this program.
 */
export async function openEmbedded(options: EmbeddedOptions): Promise<EmbeddedRuntime> {
  const { directory, clock, log, secrets } = options;
  const limits = { ...defaultLimits, ...options.limits };
  makeDirectory(directory);
  const lock = acquireLock(directory, clock.now());
  try {
    const store = createStore({ db: openDatabase(directory), clock, log });
    const bus = createBus({ store, clock, log, limits });
    const state = createActorState(store);
    const reminders: Reminders = createReminders({
      store,
      clock,
      log,
      cap: limits.reminders,
      fire: (id, name) => actors.remind(id, name),
    });
    const actors = createActors({
      store,
      state,
      clock,
      log,
      idleMs: limits.idleMs,
      contextOf: (id) => createContext(id, { store, state, bus, reminders }),
    });
    const jobs = createJobs({ store, clock, log, cap: limits.jobs });
    const records = createRecords(store, clock);
    const workflows = createWorkflows({ records, jobs, clock });
    let handleJob: Parameters<Jobs["handle"]>[0] | undefined;
    const handleJobs = () =>
      jobs.handle(async (name, data) => {
        if (!(await workflows.run(name))) await handleJob?.(name, data);
      });
    const journal = createJournal(store, clock);
    const blobs = createBlobs({ store, directory, clock, limits });
    const maintenance = createMaintenance({ store, records, journal, blobs, clock, log });

    let stopped = false;

    return {
      bus,
      actors,
      records,
      jobs: {
        ...jobs,
        handle(given) {
          handleJob = given;
          handleJobs();
        },
      },
      workflows: {
        ...workflows,
        define(program) {
          workflows.define(program);
          handleJobs();
        },
      },
      journal,
      transcript: createTranscript(store, clock),
      blobs,
      deadLetters: createDeadLetters(store, bus),
      secrets: { get: async (name) => secrets?.(name) },
      async start() {
        actors.start();
        await reminders.start();
        jobs.start();
        bus.start();
        maintenance.start();
      },
      async stop(graceMs) {
        if (stopped) return;
        stopped = true;
        maintenance.stop();
        reminders.stop();
        const running = Promise.all([bus.stop(), jobs.stop(), actors.stop()]);
        const grace = Promise.withResolvers<void>();
        const cancel = clock.after(graceMs, grace.resolve);
        await Promise.race([running, grace.promise]);
        cancel();
        store.close();
        lock.release();
      },
      health: () => store.health(),
      describe: (info) => lock.describe(info),
      inside: { active: actors.active, commits: store.commits, store },
    };
  } catch (error) {
    lock.release();
    throw error instanceof DataError ? error : new InfrastructureError("The data cannot be opened.", { cause: error });
  }
}
