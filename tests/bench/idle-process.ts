/**
 * The process that "scenarios/idle-conversations.ts" measures: `node idle-process.ts <folder> <count> <leak>`.
 * A tenth of the conversations comes first and goes idle: there the measuring begins, in a process that is warm. Then come
 * the others, three turns each, 256 at a time. It ends when no actor is in memory, none has a reminder, all are packed and
 * what is free in the file has been given back. Its clock runs ten times as fast: what waits 30 s waits 3.
 */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { inflateRawSync } from "node:zlib";
import { openEmbedded } from "../../adapters/embedded/index.ts";
import { createCore } from "../../src/core.ts";
import type { Clock } from "../../src/ports.ts";
import { log, moment, sizes, talker, turnsEach, words } from "./idle-talk.ts";
import { until } from "./session.ts";

const [folder = "", countText = "", leakText = "0"] = process.argv.slice(2);
const count = Number(countText);
const leak = Number(leakText);
const speed = 10;
const idleMs = 10_000;

const talk = talker();
const leaked: string[] = [];

const startedAt = Date.now();
const clock: Clock = {
  now: () => startedAt + (Date.now() - startedAt) * speed,
  monotonic: () => performance.now() * speed,
  after(ms, task) {
    const timer = setTimeout(task, Math.min(ms / speed, 2 ** 31 - 1)).unref();
    return () => clearTimeout(timer);
  },
};

const data = join(folder, "data");
const runtime = await openEmbedded({ directory: data, clock, log, limits: { idleMs } });
const core = createCore({
  runtime,
  clock,
  log,
  instance: "bench",
  ...talk.ends,
});
await runtime.start();
const { store } = runtime.inside;
const rows = (table: string) => (store.prepare(`SELECT count(*) AS n FROM ${table}`).get() as { n: number }).n;
const emptyBytes = bytesIn(data);

const cold = await moment();
await talk.all(core.inbound, 0, count / 10);
await idle();
const began = await moment();
const talkedFrom = performance.now();
await talk.all(core.inbound, count / 10, count);
const seconds = (performance.now() - talkedFrom) / 1_000;
const peak = sizes();
if (leak > 0) for (let n = 0; n < count; n += 1) leaked.push(words(n, leak / 5));
await idle();
await until(60_000, "the file's free pages given back", tidied, 500).catch(() => undefined);
const ended = await moment();
const serializedBytes = serialized();
const freeShare = freePages().free / freePages().all;
await runtime.stop(5_000); // folds the log into the file
const diskBytes = bytesIn(data) - emptyBytes + leaked.reduce((sum, text) => sum + text.length, 0);
console.log(
  JSON.stringify({
    cold,
    began,
    peak,
    ended,
    diskBytes,
    serializedBytes,
    freeShare,
    turns: count * 0.9 * turnsEach,
    seconds,
  }),
);
process.exit(0);

/** The share of the file that is free, in pages: adapters/embedded/maintenance.ts keeps a quarter or 2,048. */
function freePages(): { free: number; all: number } {
  const { freelist_count: free } = store.prepare("PRAGMA freelist_count").get() as { freelist_count: number };
  const { page_count: all } = store.prepare("PRAGMA page_count").get() as { page_count: number };
  return { free, all };
}

function tidied(): boolean {
  const { free, all } = freePages();
  return free <= 2_048 || free * 4 <= all;
}

/** Settled (the watchdog comes every 30 s), out of memory and packed. */
async function idle(): Promise<void> {
  const tables = ["bus", "reminder", "state"];
  await until(
    400_000,
    "all conversations idle",
    () => runtime.inside.active() === 0 && tables.every((table) => rows(table) === 0),
    500,
  );
}

/** The JSON of every conversation's state, as it is before it is packed. */
function serialized(): number {
  let bytes = 0;
  for (const row of store.prepare("SELECT state FROM idle").iterate()) {
    const { state } = row as { state: string | Uint8Array };
    bytes += typeof state === "string" ? Buffer.byteLength(state) : inflateRawSync(state).length;
  }
  return bytes;
}

function bytesIn(path: string): number {
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}
