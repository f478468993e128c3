/**
 * The one SQLite file and its group commit: everything that is written within one turn of the event loop shares one
 * transaction, and so one fsync. SQLite is called synchronously: nothing runs between two statements of a transaction, and
 * a read outside of one sees exactly what was committed.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { InfrastructureError } from "../../src/errors.ts";
import type { Clock, Log } from "../../src/ports.ts";

export interface WriteHooks<T> {
  /** Runs synchronously after the commit, in the order of the writes, before the promise resolves. */
  readonly committed?: (result: T) => void;
  /** Runs instead when the write did not happen. */
  readonly failed?: () => void;
}

export interface Store {
  /** The statement of this text, compiled once. */
  prepare(sql: string): StatementSync;
  /**
   * Runs `run` inside the next commit; resolves with its result once that is durable. `run` is synchronous and may run a
   * second time after a rollback: it has no effect but on the database. Only the writes at fault reject, with the error
   * that `run` threw where it is not SQLite's, else with an InfrastructureError.
   */
  write<T>(run: () => T, hooks?: WriteHooks<T>): Promise<T>;
  /** Rides in the next commit, at the latest {@link rideMs} from now. Nobody waits for it; it is tried until it succeeds. */
  later(run: () => void): void;
  /** Commits what is waiting, now. */
  flush(): void;
  /** A problem in words while writing fails. */
  health(): string | undefined;
  /** How many commits were made. */
  commits(): number;
  /**
   * Folds the log into the file and empties it, so that what was deleted is in neither.
   * @returns false where another process reads the file just now.
   */
  fold(): boolean;
  /** Commits what is waiting, folds the log into the file and closes it. What is written afterwards is rejected. */
  close(): void;
}

interface Write {
  run(): unknown;
  result: unknown;
  committed(result: unknown): void;
  failed(error: unknown): void;
}

const rideMs = 25;
const mostWrites = 512;
const probeMs = 1000;

export interface StoreOptions {
  readonly db: DatabaseSync;
  readonly clock: Clock;
  readonly log: Log;
}

export function createStore({ db, clock, log }: StoreOptions): Store {
  const statements = new Map<string, StatementSync>();
  let waiting: Write[] = [];
  let riding: (() => void)[] = [];
  let scheduled = false;
  let rideTimer: (() => void) | undefined;
  let probeTimer: (() => void) | undefined;
  let flushing = false;
  let closed = false;
  let problem: string | undefined;
  let commits = 0;

  function prepare(sql: string): StatementSync {
    let statement = statements.get(sql);
    if (statement === undefined) statements.set(sql, (statement = db.prepare(sql)));
    return statement;
  }

  const begin = prepare("BEGIN IMMEDIATE");
  const commit = prepare("COMMIT");
  const rollback = prepare("ROLLBACK");

  function broke(error: unknown): InfrastructureError {
    const reason = error instanceof Error ? error.message : String(error);
    if (problem === undefined) log.error({ reason }, "the store cannot write");
    problem = `The store cannot write: ${reason}`;
    probeTimer ??= clock.after(probeMs, probe);
    return new InfrastructureError(problem, { cause: error });
  }

  /**
   * A gateway that is not ready gets no traffic: it has to find out by itself that the disk is well again. It is when
   * this succeeds, not when some small write found a place.
   */
  function probe(): void {
    probeTimer = undefined;
    if (closed || problem === undefined) return;
    const put = prepare("INSERT OR REPLACE INTO meta (name, value) VALUES ('probe', zeroblob(16384))");
    const drop = prepare("DELETE FROM meta WHERE name = 'probe'");
    write(() => void put.run()).then(
      () => {
        log.info({}, "the store writes again");
        problem = undefined;
        later(() => void drop.run());
      },
      () => log.debug({}, "the store still cannot write"),
    );
  }

  /** One transaction over all of these; false when it was rolled back because a write, not the commit, failed. */
  function attempt(rides: readonly (() => void)[], writes: readonly Write[]): boolean {
    let stage: "begin" | "run" | "commit" = "begin";
    try {
      begin.run();
      stage = "run";
      for (const ride of rides) ride();
      for (const write of writes) write.result = write.run();
      stage = "commit";
      commit.run();
    } catch (error) {
      if (db.isTransaction) rollback.run();
      if (stage === "run" && rides.length + writes.length > 1) return false;
      const reported = stage !== "run" || isSqlite(error) ? broke(error) : error;
      if (reported instanceof InfrastructureError) riding = [...rides, ...riding];
      else if (rides.length > 0) log.error({ reason: String(error) }, "a write was given up");
      for (const write of writes) write.failed(reported);
      return true;
    }
    commits += 1;
    for (const write of writes) write.committed(write.result);
    return true;
  }

  function flush(): void {
    if (flushing) return;
    scheduled = false;
    if (waiting.length === 0 && riding.length === 0) return;
    flushing = true;
    rideTimer?.();
    rideTimer = undefined;
    const writes = waiting;
    const rides = riding;
    waiting = [];
    riding = [];
    try {
      if (!attempt(rides, writes)) {
        for (const ride of rides) attempt([ride], []);
        for (const write of writes) attempt([], [write]);
      }
    } finally {
      flushing = false;
    }
    if (riding.length > 0) rideLater(problem === undefined ? rideMs : probeMs);
    if (waiting.length >= mostWrites) flush();
  }

  function rideLater(ms: number): void {
    if (closed) return;
    rideTimer ??= clock.after(ms, () => {
      rideTimer = undefined;
      flush();
    });
  }

  function write<T>(run: () => T, hooks?: WriteHooks<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const failed = (error: unknown) => {
        hooks?.failed?.();
        reject(error instanceof Error ? error : new Error(String(error)));
      };
      if (closed) return failed(new InfrastructureError("The store is closed: the gateway is stopping."));
      waiting.push({
        run,
        result: undefined,
        committed: (result) => {
          hooks?.committed?.(result as T);
          resolve(result as T);
        },
        failed,
      });
      if (waiting.length >= mostWrites) return flush();
      if (scheduled) return;
      scheduled = true;
      setImmediate(flush);
    });
  }

  function later(run: () => void): void {
    if (closed) return;
    riding.push(run);
    if (!flushing && !scheduled) rideLater(rideMs);
  }

  function fold(): boolean {
    if (closed) return false;
    const { timeout } = prepare("PRAGMA busy_timeout").get() as { timeout: number };
    // Nobody waits here for whoever reads.
    db.exec("PRAGMA busy_timeout = 0");
    try {
      return (prepare("PRAGMA wal_checkpoint(TRUNCATE)").get() as { busy: number }).busy === 0;
    } finally {
      db.exec(`PRAGMA busy_timeout = ${timeout}`);
    }
  }

  function close(): void {
    if (closed) return;
    flush();
    closed = true;
    rideTimer?.();
    probeTimer?.();
    try {
      db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    } catch (error) {
      log.warn({ reason: String(error) }, "the log was not folded into the file; the next start does it");
    }
    db.close();
  }

  return { prepare, write, later, flush, health: () => problem, commits: () => commits, fold, close };
}

function isSqlite(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ERR_SQLITE_ERROR";
}
