import { describe, expect, test } from "vitest";
import { ConflictError, InfrastructureError } from "../../src/errors.ts";
import { underLease } from "../../src/lease.ts";
import type { Clock, Records } from "../../src/ports.ts";
import { quiet } from "./client-agent.fixture.ts";

/** Records that all replicas see; `down` holds those whose calls fail. */
function sharedRecords() {
  const rows = new Map<string, { value: unknown; etag: string }>();
  const down = new Set<string>();
  let writes = 0;
  const of = (replica: string): Records => ({
    async get(key) {
      if (down.has(replica)) throw new InfrastructureError("away");
      return rows.get(key);
    },
    async put(key, value, { etag } = {}) {
      if (down.has(replica)) throw new InfrastructureError("away");
      if (etag !== undefined && (rows.get(key)?.etag ?? null) !== etag) throw new ConflictError("changed");
      const next = `e${++writes}`;
      rows.set(key, { value, etag: next });
      return next;
    },
    remove: async (key) => void rows.delete(key),
  });
  return { of, down };
}

/** A hundred times as fast as the wall. */
const clock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now() * 100,
  after(ms, task) {
    const timer = setTimeout(task, ms / 100);
    return () => clearTimeout(timer);
  },
};
const leaseMs = 7_000;

function replicas() {
  const { of, down } = sharedRecords();
  const held: { readonly by: string; readonly token: number; over: boolean }[] = [];
  let most = 0;
  const start = (by: string) => {
    const end = new AbortController();
    const done = underLease(
      "telegram",
      { records: of(by), clock, log: quiet, instance: by, leaseMs },
      end.signal,
      async (signal, token) => {
        const own = { by, token, over: false };
        held.push(own);
        most = Math.max(most, held.filter(({ over }) => !over).length);
        await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
        own.over = true;
      },
    );
    return { stop: () => (end.abort(), done) };
  };
  const until = async (holds: () => boolean) => {
    for (let step = 0; step < 400 && !holds(); step++) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(holds()).toBe(true);
  };
  return { start, held, down, until, most: () => most };
}

describe("a lease", () => {
  test("is held by one, and by another at once when it is let go", async () => {
    const { start, held, until, most } = replicas();
    const first = start("a");
    await until(() => held.length === 1);
    const second = start("b");
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(held.map(({ by }) => by)).toEqual(["a"]);
    await first.stop();
    const before = clock.monotonic();
    await until(() => held.length === 2);
    expect(clock.monotonic() - before).toBeLessThan(leaseMs);
    expect(held.map(({ by, token }) => [by, token])).toEqual([
      ["a", 1],
      ["b", 2],
    ]);
    expect(most()).toBe(1);
    await second.stop();
  });

  test("goes to another when its holder is unheard, which lets go before that", async () => {
    const { start, held, down, until, most } = replicas();
    const first = start("a");
    await until(() => held.length === 1);
    const second = start("b");
    down.add("a");
    const before = clock.monotonic();
    await until(() => held.length === 2);
    expect(clock.monotonic() - before).toBeLessThan(leaseMs * 1.5);
    expect(held[0]?.over).toBe(true);
    expect(most()).toBe(1);
    await second.stop();
    await first.stop();
  });
});
