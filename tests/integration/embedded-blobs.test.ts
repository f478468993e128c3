/** What the store of bytes keeps, for how long and how much: the disk is never filled, and nothing in use is deleted. */
import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, test } from "vitest";
import { openEmbedded, type EmbeddedRuntime } from "../../adapters/embedded/index.ts";
import { toVersion1 } from "../../adapters/embedded/migrations/001.ts";
import { toVersion2 } from "../../adapters/embedded/migrations/002.ts";
import { InputError } from "../../src/errors.ts";
import { blobsOf } from "../../src/tenant-blobs.ts";
import { clock, newDirectory, quietLog } from "./embedded-fixture.ts";

const hour = 60 * 60 * 1000;
const day = 24 * hour;
const type = "application/octet-stream";

let directory = "";
let ahead = 0;
let runtime: EmbeddedRuntime;

/** Timers run a thousand times as fast; `ahead` is how far the date is ahead of today's. */
async function open(blobBytes: number): Promise<void> {
  const fast = {
    ...clock,
    now: () => Date.now() + ahead,
    after: (ms: number, task: () => void) => clock.after(ms / 1000, task),
  };
  runtime = await openEmbedded({ directory, clock: fast, log: quietLog, limits: { blobBytes, blobMs: 30 * day } });
  await runtime.start();
}
beforeEach(async () => {
  directory = newDirectory();
  ahead = 0;
  await open(10_000);
});
afterEach(async () => {
  await runtime.stop(0);
  await rm(directory, { recursive: true });
});

const streamOf = (bytes: Uint8Array) => new Blob([bytes.slice()]).stream();
async function put(bytes: Uint8Array, draft = false): Promise<string> {
  return (await runtime.blobs.put(streamOf(bytes), { type, maxBytes: 1_000_000, draft })).id;
}
async function has(id: string, use = false): Promise<boolean> {
  const blob = await runtime.blobs.get(id, { use });
  await blob?.body.cancel();
  return blob !== undefined;
}
/** Long enough for the tidying up to have come by several times. */
const tidied = () => new Promise((resolve) => setTimeout(resolve, 150));
const files = () =>
  readdirSync(join(directory, "blobs"), { recursive: true }).filter((name) => /[0-9a-f]{64}$/.test(String(name)));
const isFull = (error: unknown) => error instanceof InputError && error.status === 507;

test("past the limit of all bytes nothing more is taken, not by many at once either, and bytes that are there count once", async () => {
  const first = randomBytes(4_000);
  await put(first);
  await put(first);
  const results = await Promise.allSettled(Array.from({ length: 8 }, () => put(randomBytes(2_000))));
  equal(results.filter(({ status }) => status === "fulfilled").length, 3);
  ok(results.every((result) => result.status === "fulfilled" || isFull(result.reason)));
  equal(files().length, 4);
  deepEqual(readdirSync(join(directory, "blobs", "incoming")), []);

  await runtime.stop(0);
  await open(10_000);
  await rejects(put(randomBytes(1)), isFull);
  await runtime.stop(0);
  await open(10_001);
  await put(randomBytes(1));
});

test("a tenant's files fill its own share, and leave room for another's", async () => {
  const limits = { blobBytes: 10_000, blobBytesOf: { capped: 3_000 }, shared: true };
  const reopen = async () => {
    await runtime.stop(0);
    runtime = await openEmbedded({ directory, clock, log: quietLog, limits });
  };
  const putOf = (tenant: string, bytes: number) =>
    blobsOf(runtime.blobs, tenant).put(streamOf(randomBytes(bytes)), { type, maxBytes: 1_000_000 });
  await reopen();
  await putOf("capped", 3_000);
  await rejects(putOf("capped", 1), isFull);
  for (let n = 0; n < 3; n++) await putOf("flood", 1_000);
  await reopen();
  await rejects(putOf("capped", 1), isFull);
  await rejects(putOf("flood", 1_000), isFull);
  const { id } = await putOf("other", 2_000);
  await rejects(putOf("other", 1_000), isFull);
  await blobsOf(runtime.blobs, "other").remove(id);
  await putOf("other", 2_000);
});

test("what was refused takes no room", async () => {
  await rejects(runtime.blobs.put(streamOf(randomBytes(9_000)), { type, maxBytes: 8_000 }), /More than 8000 bytes/);
  await rejects(put(randomBytes(10_001)), isFull);
  await put(randomBytes(10_000));
});

test("a draft is deleted after a day, with its file, unless a message has it by then", async () => {
  const [forgotten, sent, again] = [randomBytes(2_000), randomBytes(3_000), randomBytes(2_000)];
  const ids = [await put(forgotten, true), await put(sent, true), await put(again, true)] as const;
  ahead = 23 * hour;
  ok(await has(ids[1], true));
  await put(again);
  ok(await has(ids[0]), "reading alone prolongs nothing");
  await tidied();
  equal(files().length, 3);
  ahead = 25 * hour;
  await tidied();
  deepEqual(await Promise.all(ids.map((id) => has(id))), [false, true, true]);
  equal(files().length, 2);
  equal(await has(ids[0], true), false);
  await put(randomBytes(5_000));
});

test("what was used is deleted when nobody used it for the configured time, and can come back", async () => {
  const bytes = randomBytes(6_000);
  const id = await put(bytes);
  ahead = 29 * day;
  ok(await has(id, true));
  ahead = 58 * day;
  await tidied();
  ok(await has(id));
  ahead = 60 * day;
  await tidied();
  equal(await has(id), false);
  deepEqual(files(), []);
  equal(await put(bytes), id);
  ok(await has(id));
});

test("blobs of an older version are kept for their time from the migration on", async () => {
  const id = await put(randomBytes(10));
  await runtime.stop(0);
  await rm(join(directory, "ascent.db"));
  const db = new DatabaseSync(join(directory, "ascent.db"));
  toVersion1(db);
  toVersion2(db);
  db.prepare("INSERT INTO blob (id, type, size) VALUES (?, ?, 10)").run(id, type);
  db.exec("PRAGMA user_version = 2");
  db.close();
  await open(10_000);
  ahead = 29 * day;
  await tidied();
  ok(await has(id));
  ahead = 31 * day;
  await tidied();
  equal(await has(id), false);
});
