/** What a channel is given in its contract suite: everything in memory, every hand-over and every line of the log kept. */
import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { createBelongings } from "../../src/belongings.ts";
import type { ChannelDeps, DeliveryMark, FailedMark, Unreadable } from "../../src/channel.ts";
import { ConflictError, InputError } from "../../src/errors.ts";
import type { AccountRef } from "../../src/ids.ts";
import type { InboundEvent } from "../../src/message.ts";
import type { Blob, Blobs, Clock, Log, Records, Transcript, TranscriptEntry } from "../../src/ports.ts";

/** The core's side, seen from outside: what it was handed, and how it behaves. */
export interface Probe {
  readonly deps: ChannelDeps;
  /** In order of acceptance; redeliveries included. */
  readonly accepted: InboundEvent[];
  /** Everything that was handed over, accepted or not. */
  readonly offered: InboundEvent[];
  /** Lines of the log as JSON. */
  readonly lines: string[];
  readonly records: Map<string, unknown>;
  /** What became a dead letter. */
  readonly aside: Unreadable[];
  /** What the platform said of messages that it took. */
  readonly marks: DeliveryMark[];
  /** Failures that are handed over are of messages that the core does not know. */
  unknown: boolean;
  /** The next hand-overs are refused so, first come first served. */
  readonly refusals: Error[];
  /** Hand-overs wait until it resolves. */
  gate: Promise<void>;
  /** How many hand-overs were begun. */
  begun: number;
  /** Rejects with what was there instead after `timeoutMs`. */
  waitFor(what: string, condition: (accepted: readonly InboundEvent[]) => boolean, timeoutMs?: number): Promise<void>;
}

export const clock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, task) {
    const timer = setTimeout(task, ms).unref();
    return () => clearTimeout(timer);
  },
};

export type Stores = Pick<ChannelDeps, "records" | "transcript">;

/** @param shared what an earlier process of the same account left: `records` of the stores in memory, or stores of a runtime. */
export function probe(
  account: AccountRef,
  shared: { blobs?: Blobs; records?: Map<string, unknown>; stores?: Stores | undefined } = {},
): Probe {
  const accepted: InboundEvent[] = [];
  const offered: InboundEvent[] = [];
  const lines: string[] = [];
  const records = shared.records ?? new Map<string, unknown>();
  const stores: Stores = shared.stores ?? { records: recordsIn(records), transcript: transcript() };
  const self: Probe = {
    accepted,
    offered,
    lines,
    records,
    aside: [],
    marks: [],
    unknown: false,
    refusals: [],
    gate: Promise.resolve(),
    begun: 0,
    async waitFor(what, condition, timeoutMs = 5_000) {
      for (const until = performance.now() + timeoutMs; !condition(accepted); await sleep(5)) {
        if (performance.now() > until)
          throw new Error(`${what}: not so; accepted ${JSON.stringify(accepted)}; log ${lines.join("\n")}`);
      }
    },
    deps: {
      ...account,
      inbound: {
        async accept(events) {
          self.begun += 1;
          offered.push(...events);
          await self.gate;
          const refusal = self.refusals.shift();
          if (refusal !== undefined) throw refusal;
          // Through JSON, as everything that is stored goes.
          accepted.push(...(JSON.parse(JSON.stringify(events)) as InboundEvent[]));
        },
        admit: async () => undefined,
        hears: async () => true,
        async setAside(unreadable) {
          self.aside.push(unreadable);
        },
        async marks(_account, marks) {
          const refusal = self.refusals.shift();
          if (refusal !== undefined) throw refusal;
          self.marks.push(...marks);
          return marks.filter((mark): mark is FailedMark => mark.kind === "failed" && self.unknown);
        },
        sent: async () => undefined,
      },
      ...stores,
      blobs: shared.blobs ?? blobs(),
      belongings: createBelongings(stores, clock),
      endings: { note: async () => undefined },
      clock,
      log: logTo(lines),
      newId: () => crypto.randomUUID().replaceAll("-", ""),
      publicUrl: "https://gateway.example.org",
      secret: "a-secret-of-the-contract-suite-32-bytes",
    },
  };
  return self;
}

function logTo(lines: string[]): Log {
  const write = (level: string) => (fields: object, message: string) => {
    lines.push(JSON.stringify({ level, ...fields, message }));
  };
  return { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
}

function recordsIn(values: Map<string, unknown>): Records {
  const etags = new Map<string, number>();
  return {
    async get(key) {
      return values.has(key) ? { value: values.get(key), etag: String(etags.get(key) ?? 0) } : undefined;
    },
    async put(key, value, { etag } = {}) {
      const current = values.has(key) ? String(etags.get(key) ?? 0) : null;
      if (etag !== undefined && etag !== current) throw new ConflictError(`record ${key} was changed`);
      const next = (etags.get(key) ?? 0) + 1;
      values.set(key, JSON.parse(JSON.stringify(value)));
      etags.set(key, next);
      return String(next);
    },
    async remove(key) {
      values.delete(key);
    },
  };
}

function transcript(): Transcript {
  const logs = new Map<string, TranscriptEntry[]>();
  const of = (conversation: string) => logs.get(conversation) ?? [];
  return {
    async append(conversation, key, entry) {
      const known = of(conversation).find((one) => one.key === key);
      if (known !== undefined) return { n: known.n, fresh: false };
      const n = (of(conversation).at(-1)?.n ?? 0) + 1;
      logs.set(conversation, [...of(conversation), { n, key, at: Date.now(), entry }]);
      return { n, fresh: true };
    },
    async list(conversation, { after, before, limit }) {
      const all = of(conversation).filter(({ n }) => n > (after ?? -1) && n < (before ?? Infinity));
      return after === undefined ? all.slice(-limit) : all.slice(0, limit);
    },
    get: async (conversation, key) => of(conversation).find((one) => one.key === key),
    async clear(conversation) {
      logs.delete(conversation);
    },
  };
}

export function blobs(): Blobs {
  const kept = new Map<string, { blob: Blob; bytes: Uint8Array<ArrayBuffer> }>();
  return {
    async put(body, { type, name, maxBytes }) {
      const chunks: Uint8Array[] = [];
      let size = 0;
      for await (const chunk of body) {
        size += chunk.byteLength;
        if (size > maxBytes) throw new InputError("too large", { status: 413 });
        chunks.push(chunk);
      }
      const bytes = new Uint8Array(Buffer.concat(chunks));
      const id = createHash("sha256").update(bytes).digest("hex");
      const blob = { id, type, size, ...(name === undefined ? {} : { name }) };
      kept.set(id, { blob, bytes });
      return blob;
    },
    async get(id) {
      const found = kept.get(id);
      return found && { ...found.blob, body: new Response(found.bytes).body ?? new ReadableStream<Uint8Array>() };
    },
    remove: async (id) => void kept.delete(id),
  };
}
