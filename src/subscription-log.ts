/**
 * Which deliveries there were, the newest {@link kept} of them: a ring of records, whose head counts. A crash may leave out
 * an entry; the delivery itself does not depend on it.
 */
import { z } from "zod";
import { ConflictError } from "./errors.ts";
import type { Records } from "./ports.ts";

const kept = 1_000;
const headKey = "webhooks:log";
const slotKey = (n: number) => `webhooks:log:${n % kept}`;
const head = z.object({ v: z.literal(1), n: z.number() });

export interface DeliveryIds {
  add(id: string): Promise<void>;
  /** The newest first. */
  list(limit: number): Promise<readonly string[]>;
}

export function createDeliveryIds(records: Records): DeliveryIds {
  let waiting: { readonly id: string; readonly done: PromiseWithResolvers<void> }[] = [];
  let writing = false;

  async function count(by: number): Promise<number> {
    for (;;) {
      const found = await records.get(headKey);
      const n = found === undefined ? 0 : head.parse(found.value).n;
      try {
        await records.put(headKey, { v: 1, n: n + by }, { etag: found?.etag ?? null });
        return n;
      } catch (error) {
        if (!(error instanceof ConflictError)) throw error;
      }
    }
  }

  /** Those that came while the last ones were written share the head's write. */
  async function write(): Promise<void> {
    writing = true;
    while (waiting.length > 0) {
      const all = waiting;
      waiting = [];
      try {
        const first = await count(all.length);
        await Promise.all(all.map(({ id }, at) => records.put(slotKey(first + at), id)));
        for (const { done } of all) done.resolve();
      } catch (error) {
        for (const { done } of all) done.reject(error);
      }
    }
    writing = false;
  }

  return {
    add(id) {
      const done = Promise.withResolvers<void>();
      waiting.push({ id, done });
      if (!writing) void write();
      return done.promise;
    },
    async list(limit) {
      const found = await records.get(headKey);
      const { n } = found === undefined ? { n: 0 } : head.parse(found.value);
      const ids: string[] = [];
      for (let at = n - 1; at >= Math.max(n - kept, 0) && ids.length < limit; at--) {
        const id = (await records.get(slotKey(at)))?.value;
        if (typeof id === "string" && !ids.includes(id)) ids.push(id);
      }
      return ids;
    },
  };
}
