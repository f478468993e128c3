/**
 * Periodic reminders as rows with their next time, and one timer for the earliest. Times are on this process's own line
 * (the wall clock at its start plus the monotonic clock since), so that a clock that is set does not move them. At a start
 * every armed reminder fires within about a second: a restart may have orphaned what it watches.
 */
import { reasonOf } from "../../src/errors.ts";
import type { Clock, Log } from "../../src/ports.ts";
import type { Store } from "./store.ts";

export interface Reminders {
  /** `write` inside a transaction, `committed` behind it. */
  arm(id: string, name: string, periodMs: number): { write(): void; committed(): void };
  /** Inside a transaction. */
  disarm(id: string, name: string): void;
  start(): Promise<void>;
  stop(): void;
}

export interface RemindersOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  /** Reminders that run at once. */
  readonly cap: number;
  /** Never rejects. */
  readonly fire: (id: string, name: string) => Promise<void>;
}

interface Row {
  readonly id: string;
  readonly name: string;
  readonly period: number;
}

const spreadMs = 1000;
const afterFailureMs = 1000;
const longestTimerMs = 60 * 60 * 1000;

export function createReminders({ store, clock, log, cap, fire }: RemindersOptions): Reminders {
  const put = store.prepare("INSERT OR REPLACE INTO reminder (id, name, due, period) VALUES (?, ?, ?, ?)");
  const remove = store.prepare("DELETE FROM reminder WHERE id = ? AND name = ?");
  const due = store.prepare("SELECT id, name, period FROM reminder WHERE due <= ? ORDER BY due LIMIT ?");
  const advance = store.prepare("UPDATE reminder SET due = ? WHERE id = ? AND name = ?");
  const earliest = store.prepare("SELECT min(due) AS due FROM reminder");
  const spread = store.prepare("UPDATE reminder SET due = ? + abs(random() % ?)");

  const origin = clock.now() - clock.monotonic();
  const time = () => Math.round(origin + clock.monotonic());
  const firing = new Set<string>();
  let timer: { readonly at: number; cancel(): void } | undefined;
  let open = false;
  let ticking = false;

  function wakeAt(at: number): void {
    if (!open || ticking || (timer !== undefined && timer.at <= at)) return;
    timer?.cancel();
    const cancel = clock.after(Math.min(Math.max(at - time(), 1), longestTimerMs), () => {
      timer = undefined;
      void tick();
    });
    timer = { at, cancel };
  }

  async function tick(): Promise<void> {
    ticking = true;
    let next: number | null | undefined;
    try {
      next = await fireDue();
    } catch (error) {
      log.warn({ reason: reasonOf(error) }, "reminders are late: the store failed");
      next = time() + afterFailureMs;
    }
    ticking = false;
    if (next !== null && next !== undefined) wakeAt(next);
  }

  /** @returns when to look again; undefined where the end of a running reminder says so. */
  async function fireDue(): Promise<number | null | undefined> {
    while (open) {
      const room = cap - firing.size;
      if (room <= 0) return undefined;
      const now = time();
      const next = (earliest.get() as { due: number | null }).due;
      if (next === null || next > now) return next;
      const rows = await store.write(() => {
        const found = due.all(now, room) as unknown as Row[];
        for (const { id, name, period } of found) advance.run(now + period, id, name);
        return found;
      });
      for (const row of rows) void run(row);
    }
    return undefined;
  }

  /** One that still runs when its next time comes is not started a second time. */
  async function run({ id, name }: Row): Promise<void> {
    const key = JSON.stringify([id, name]);
    if (!open || firing.has(key)) return;
    const full = firing.size >= cap - 1;
    firing.add(key);
    await fire(id, name);
    firing.delete(key);
    if (full) wakeAt(time());
  }

  return {
    arm(id, name, periodMs) {
      const period = Math.max(Math.round(periodMs), 1);
      const at = time() + period;
      return {
        write: () => void put.run(id, name, at, period),
        committed: () => wakeAt(at),
      };
    },
    disarm: (id, name) => void remove.run(id, name),
    async start() {
      await store.write(() => void spread.run(time(), spreadMs));
      open = true;
      void tick();
    },
    stop() {
      open = false;
      timer?.cancel();
    },
  };
}
