/**
 * Every ten seconds: deletes what expired and gives pages that are free back to the disk, in small pieces. Every minute in which
 * anything was written the log of writes is folded into the file, so that it does not keep what was deleted.
 */
import { reasonOf } from "../../src/errors.ts";
import type { Clock, Log } from "../../src/ports.ts";
import type { EmbeddedBlobs } from "./blobs.ts";
import type { EmbeddedJournal } from "./journal.ts";
import type { EmbeddedRecords } from "./records.ts";
import type { Store } from "./store.ts";

const everyMs = 10_000;
const pauseMs = 20;
const foldMs = 60_000;
/** Free pages are taken for what is written next; only many of them are worth giving back. */
const freeFrom = 2048;
const freeAtOnce = 256;

export interface MaintenanceOptions {
  readonly store: Store;
  readonly records: EmbeddedRecords;
  readonly journal: EmbeddedJournal;
  readonly blobs: EmbeddedBlobs;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Maintenance {
  start(): void;
  stop(): void;
}

export function createMaintenance({ store, records, journal, blobs, clock, log }: MaintenanceOptions): Maintenance {
  const free = store.prepare("PRAGMA freelist_count");
  const pages = store.prepare("PRAGMA page_count");
  const shrink = store.prepare(`PRAGMA incremental_vacuum(${freeAtOnce})`);
  let cancel: (() => void) | undefined;
  let stopped = false;
  let folded = { at: clock.monotonic(), commits: store.commits() };

  function fold(): void {
    const now = clock.monotonic();
    if (now - folded.at < foldMs || store.commits() === folded.commits) return;
    // Somebody who reads the file keeps its log: then a later minute does it.
    folded = { at: now, commits: store.fold() ? store.commits() : folded.commits };
  }

  /** A quarter of the file is free, and more than a little. */
  function wasteful(): boolean {
    const { freelist_count: unused } = free.get() as { freelist_count: number };
    const { page_count: all } = pages.get() as { page_count: number };
    return unused > freeFrom && unused * 4 > all;
  }

  async function step(): Promise<boolean> {
    const more = [await records.purge(), await journal.purge(), await blobs.purge(), wasteful()];
    if (more.at(-1) === true) await store.write(() => void shrink.all());
    fold();
    return more.includes(true);
  }

  function run(): void {
    step().then(
      (more) => schedule(more ? pauseMs : everyMs),
      (error: unknown) => {
        log.warn({ reason: reasonOf(error) }, "tidying up failed; tried again later");
        schedule(everyMs);
      },
    );
  }

  function schedule(ms: number): void {
    if (!stopped) cancel = clock.after(ms, run);
  }

  return {
    start: () => schedule(everyMs),
    stop() {
      stopped = true;
      cancel?.();
    },
  };
}
