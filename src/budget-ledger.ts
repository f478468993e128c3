/**
 * Days of budgets in records, whichever process changes them. In one process all that wait for a record go into one write of it, so that
 * replicas alone come in each other's way, and never many times at once.
 */
import { readDay, type BudgetDay } from "./budget-day.ts";
import { ConflictError, InfrastructureError } from "./errors.ts";
import type { Clock, Records } from "./ports.ts";
import { createRecent } from "./recent.ts";

/** @returns the day as it was where nothing is to be written. */
export type Change<Result> = (day: BudgetDay) => { readonly day: BudgetDay; readonly result: Result };

export interface Ledger {
  /**
   * Resolves once the change is durable, or nothing was to be changed as the record stands now. It may be tried several times: only the last
   * one counts.
   * @param last nothing is likely to follow soon: what comes next is looked up ahead, so that its write is its only trip to the store.
   * @throws InfrastructureError where it may have been written or not.
   */
  change<Result>(key: string, change: Change<Result>, last?: boolean): Promise<Result>;
  /** Waits for what is being written. */
  idle(): Promise<void>;
}

export interface LedgerOptions {
  readonly records: Records;
  readonly clock: Clock;
  /** Other processes write these records too. */
  readonly shared: boolean;
  /** How long a record is kept after its last change. */
  readonly keptMs: number;
  /** The day of a record that is not there yet. */
  readonly begin: (key: string) => Promise<BudgetDay>;
}

interface Job {
  run(day: BudgetDay): BudgetDay;
  done(): void;
  failed(error: unknown): void;
}

interface Standing {
  readonly day: BudgetDay;
  /** Null where there is no record yet. */
  readonly etag: string | null;
}

interface Book {
  readonly key: string;
  /** As last seen; undefined: to be looked up. */
  standing: Standing | undefined;
  waiting: Job[];
  looksAhead: boolean;
  writing: Promise<void> | undefined;
}

/** Of one write, by processes that come in its way; each time one of them gets through. */
const mostTries = 200;
const mostPauseMs = 20;

export function createLedger({ records, clock, shared, keptMs, begin }: LedgerOptions): Ledger {
  const books = createRecent<string, Book>(clock);
  const busy = new Set<Promise<void>>();

  async function look(key: string): Promise<Standing> {
    const found = await records.get(key);
    if (found === undefined) return { day: await begin(key), etag: null };
    return { day: readDay(found.value), etag: found.etag };
  }

  async function commit(book: Book, jobs: readonly Job[]): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      const fresh = book.standing === undefined;
      const { day, etag } = (book.standing ??= await look(book.key));
      const next = jobs.reduce((before, job) => job.run(before), day);
      if (next === day) {
        if (fresh || !shared) return;
        // What others wrote meanwhile may say otherwise.
        book.standing = undefined;
        continue;
      }
      try {
        book.standing = { day: next, etag: await records.put(book.key, next, { etag, ttlMs: keptMs }) };
        return;
      } catch (error) {
        book.standing = undefined;
        if (!(error instanceof ConflictError)) throw error;
        if (tries === mostTries)
          throw new InfrastructureError("a budget is written by too many at once", { cause: error });
        if (tries > 1) await pause(Math.random() * mostPauseMs);
      }
    }
  }

  async function work(book: Book): Promise<void> {
    // Whatever else is asked for in this tick goes along.
    await Promise.resolve();
    while (book.waiting.length > 0) {
      const jobs = book.waiting.splice(0);
      try {
        await commit(book, jobs);
        for (const job of jobs) job.done();
      } catch (error) {
        for (const job of jobs) job.failed(error);
      }
    }
    book.writing = undefined;
    if (shared && book.looksAhead) await lookAhead(book);
  }

  async function lookAhead(book: Book): Promise<void> {
    const { standing } = book;
    book.looksAhead = false;
    if (standing === undefined) return;
    // What cannot be read fails whoever asks for it.
    const next = await look(book.key).catch(() => undefined);
    if (next === undefined || book.writing !== undefined || book.standing !== standing) return;
    if (next.etag !== standing.etag) book.standing = next;
  }

  const pause = (ms: number) => new Promise<void>((resolve) => void clock.after(ms, resolve));

  function start(book: Book): void {
    if (book.writing !== undefined) return;
    const writing = work(book).finally(() => busy.delete(writing));
    book.writing = writing;
    busy.add(writing);
  }

  return {
    change<Result>(key: string, change: Change<Result>, last = false) {
      const { promise, resolve, reject } = Promise.withResolvers<Result>();
      const book = books.get(key) ?? { key, standing: undefined, waiting: [], looksAhead: false, writing: undefined };
      books.set(key, book);
      book.looksAhead ||= last;
      let latest: { readonly result: Result } | undefined;
      book.waiting.push({
        run(day) {
          const { day: next, result } = change(day);
          latest = { result };
          return next;
        },
        done() {
          if (latest !== undefined) resolve(latest.result);
        },
        failed: reject,
      });
      start(book);
      return promise;
    },
    async idle() {
      await Promise.allSettled(busy);
    },
  };
}
