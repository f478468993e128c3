/** Small ports in memory, and a real server, for the tests of the channels that speak HTTP. */
import { createHash, randomBytes } from "node:crypto";
import { createServer, type HttpServer } from "../../adapters/http/index.ts";
import type { ChannelDeps, HttpHandler } from "../../src/channel.ts";
import { ConflictError, InputError } from "../../src/errors.ts";
import type { InboundEvent } from "../../src/message.ts";
import type { Blobs, Clock, Log, Records, Transcript, TranscriptEntry } from "../../src/ports.ts";

export interface TestDeps extends ChannelDeps {
  readonly accepted: InboundEvent[];
  /** Thrown by the next accepts while set. */
  fail: Error | undefined;
  readonly logged: string[];
}

export function testDeps(channel: string, given: Partial<ChannelDeps> = {}): TestDeps {
  const accepted: InboundEvent[] = [];
  const logged: string[] = [];
  const note = (fields: object, text: string) => void logged.push(`${text} ${JSON.stringify(fields)}`);
  const log: Log = { debug: note, info: note, warn: note, error: note };
  const deps: TestDeps = {
    tenant: "default",
    channel,
    account: "main",
    accepted,
    logged,
    fail: undefined,
    inbound: {
      async accept(events) {
        if (deps.fail !== undefined) throw deps.fail;
        accepted.push(...structuredClone(events));
      },
    },
    records: records(),
    transcript: transcript(),
    blobs: blobs(),
    clock,
    log,
    newId: () => randomBytes(16).toString("base64url"),
    publicUrl: undefined,
    secret: "a secret of the tests, long enough",
    ...given,
  };
  return deps;
}

const clock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, task) {
    const timer = setTimeout(task, ms);
    timer.unref();
    return () => clearTimeout(timer);
  },
};

function records(): Records {
  const rows = new Map<string, { value: string; etag: string }>();
  let etags = 0;
  return {
    async get(key) {
      const row = rows.get(key);
      return row && { value: JSON.parse(row.value) as unknown, etag: row.etag };
    },
    async put(key, value, { etag } = {}) {
      const current = rows.get(key)?.etag ?? null;
      if (etag !== undefined && etag !== current) throw new ConflictError("changed");
      const next = String(++etags);
      rows.set(key, { value: JSON.stringify(value), etag: next });
      return next;
    },
    async remove(key) {
      rows.delete(key);
    },
  };
}

function transcript(): Transcript {
  const rows: (TranscriptEntry & { readonly conversation: string })[] = [];
  let last = 0;
  const of = (conversation: string) => rows.filter((row) => row.conversation === conversation);
  return {
    async append(conversation, key, entry) {
      const known = of(conversation).find((row) => row.key === key);
      if (known !== undefined) return { n: known.n, fresh: false };
      rows.push({ conversation, n: ++last, key, at: Date.now(), entry: structuredClone(entry) });
      return { n: last, fresh: true };
    },
    async list(conversation, { after = 0, before, limit }) {
      const found = of(conversation).filter(({ n }) => n > after && n < (before ?? Infinity));
      return before === undefined ? found.slice(0, limit) : found.slice(-limit);
    },
    async get(conversation, key) {
      return of(conversation).find((row) => row.key === key);
    },
    async clear(conversation) {
      for (const row of of(conversation)) rows.splice(rows.indexOf(row), 1);
    },
  };
}

function blobs(): Blobs {
  const kept = new Map<string, { id: string; type: string; name?: string; size: number; bytes: Uint8Array }>();
  return {
    async put(body, { type, name, maxBytes }) {
      const chunks: Uint8Array[] = [];
      let size = 0;
      for await (const chunk of body) {
        size += chunk.length;
        if (size > maxBytes) throw new InputError("too large", { status: 413 });
        chunks.push(chunk);
      }
      const bytes = new Uint8Array(Buffer.concat(chunks));
      const id = createHash("sha256").update(bytes).digest("base64url");
      kept.set(id, { id, type, size, bytes, ...(name !== undefined && { name }) });
      return { id, type, size };
    },
    async get(id) {
      const blob = kept.get(id);
      return blob && { ...blob, body: new Response(blob.bytes as Uint8Array<ArrayBuffer>).body! };
    },
  };
}

export async function serveChannels(
  channels: readonly HttpHandler[],
  log: Log,
): Promise<{ readonly server: HttpServer; readonly url: string; readonly port: number }> {
  const server = createServer({ host: "127.0.0.1", port: 0, channels, health: () => undefined, log });
  return { server, ...(await server.listen()) };
}
