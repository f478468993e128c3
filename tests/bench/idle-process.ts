/**
 * The process that "scenarios/idle-conversations.ts" measures: `node idle-process.ts <folder> <count> <leak>`.
 * A tenth of the conversations comes first and goes idle: there the measuring begins, in a process that is warm. Then come
 * the others, three turns each, 256 at a time. It ends when no actor is in memory, none has a reminder, all are packed and
 * what is free in the file has been given back. Its clock runs ten times as fast: what waits 30 s waits 3.
 */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { inflateRawSync } from "node:zlib";
import { openEmbedded } from "../../adapters/embedded/index.ts";
import type { Agent } from "../../src/agent.ts";
import type { Channel } from "../../src/channel.ts";
import { createCore } from "../../src/core.ts";
import { conversationId, messageId, participantId, type AccountRef } from "../../src/ids.ts";
import { returnMemory } from "../../src/main/memory.ts";
import type { InboundEvent } from "../../src/message.ts";
import type { Clock, Log } from "../../src/ports.ts";
import { residentMbOf } from "./proc.ts";
import { until } from "./session.ts";

const [folder = "", countText = "", leakText = "0"] = process.argv.slice(2);
const count = Number(countText);
const leak = Number(leakText);
const turnsEach = 3;
const atOnce = 256;
const speed = 10;
const idleMs = 10_000;
const mb = 1_048_576;

const account: AccountRef = { tenant: "default", channel: "bench", account: "main" };
const waiting = new Map<string, () => void>();
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

const silent = () => undefined;
const complain = (fields: object, message: string) => console.error(message, fields);
const log: Log = { debug: silent, info: silent, warn: complain, error: complain };

const channel: Channel = {
  ...account,
  traits: {
    order: "sequence",
    text: { max: 4_096 },
    caption: { max: 0 },
    media: {},
    location: false,
    replies: false,
    receipts: false,
  },
  dialect: { render: (text) => text, escape: (text) => text, measure: (text) => text.length },
  async send(_part, { to }) {
    waiting.get(to.chat)?.();
    return {};
  },
};

const agent: Agent = {
  async run({ to, messages }) {
    return {
      answer: { parts: [{ kind: "text", text: words(Number(to.chat) * 7 + messages.length, 40), format: "markdown" }] },
    };
  },
  summarize: async () => words(1, 60),
};

const data = join(folder, "data");
const runtime = await openEmbedded({ directory: data, clock, log, limits: { idleMs } });
const core = createCore({
  runtime,
  clock,
  log,
  instance: "bench",
  channelOf: () => channel,
  agentOf: () => ({ name: "bench", agent, traits: { whileRunning: "queue", turnTimeoutMs: 60_000, historyItems: 20 } }),
});
await runtime.start();
const { store } = runtime.inside;
const rows = (table: string) => (store.prepare(`SELECT count(*) AS n FROM ${table}`).get() as { n: number }).n;
const emptyBytes = bytesIn(data);

const cold = await moment();
await talkAll(0, count / 10);
await idle();
const began = await moment();
const talkedFrom = performance.now();
await talkAll(count / 10, count);
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

async function talkAll(from: number, to: number): Promise<void> {
  let next = from;
  const worker = async () => {
    while (next < to) await talk(next++);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

async function talk(n: number): Promise<void> {
  const chat = String(n);
  for (let turn = 1; turn <= turnsEach; turn += 1) {
    const answered = new Promise<void>((resolve) => waiting.set(chat, resolve));
    await core.inbound.accept([said(chat, turn)]);
    await answered;
  }
  waiting.delete(chat);
}

function said(chat: string, turn: number): InboundEvent {
  const conversation = conversationId(account, chat);
  const text = words(Number(chat) * 13 + turn, 25);
  const now = Date.now();
  return {
    v: 1,
    kind: "message",
    id: messageId(account, chat, String(turn)),
    address: { ...account, conversation, kind: "direct", chat },
    participant: { id: participantId(account, chat), user: chat, name: `Person ${chat}` },
    sentAt: now,
    sequence: turn,
    receivedAt: now,
    message: { parts: [{ kind: "text", text, format: "plain" }], addressed: true },
  };
}

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

async function moment() {
  for (let at = 0; at < 5; at += 1) {
    returnMemory();
    await sleep(500);
  }
  return sizes();
}

function sizes() {
  return { heapMb: process.memoryUsage().heapUsed / mb, residentMb: residentMbOf([process.pid]) };
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

/** Text that deflates about as English does: words drawn from a few thousand, the same for the same seed. */
function words(seed: number, howMany: number): string {
  let state = (seed + 1) * 2_654_435_761;
  return Array.from({ length: Math.ceil(howMany) }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state % 4_096).toString(36) + (state % 7 === 0 ? "tion" : "");
  }).join(" ");
}
