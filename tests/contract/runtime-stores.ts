import { deepEqual, equal, notEqual, ok, rejects } from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { ConflictError, InputError } from "../../src/errors.ts";
import type { Blobs, SetAside } from "../../src/ports.ts";
import { blobsOf } from "../../src/tenant-blobs.ts";
import { range, type Check } from "./runtime-stage.ts";

function streamOf(...chunks: Uint8Array[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });
}

export function storeContract(check: Check): void {
  recordContract(check);
  transcriptContract(check);
  blobContract(check);

  check("the journal tells what was set aside, the newest first, over a restart", async (stage) => {
    const here = stage.unique("here");
    const began = Date.now();
    const entry = (n: number, conversation: string): SetAside => ({
      id: `${conversation}:${n}`,
      conversation,
      rule: "not addressed",
      at: began + n,
    });
    await stage.runtime.journal.setAside([]);
    await stage.runtime.journal.setAside([entry(1, here), entry(2, stage.unique("there"))]);
    await stage.runtime.journal.setAside([entry(3, here)]);
    await stage.restart();
    deepEqual(await stage.runtime.journal.list({ conversation: here, limit: 10 }), [entry(3, here), entry(1, here)]);
    deepEqual(await stage.runtime.journal.list({ conversation: here, limit: 1 }), [entry(3, here)]);
    equal((await stage.runtime.journal.list({ limit: 2 })).length, 2);
    deepEqual(await stage.runtime.journal.list({ conversation: stage.unique("nowhere"), limit: 10 }), []);
  });

  check("a secret that nobody set is undefined", async (stage) => {
    equal(await stage.runtime.secrets.get(stage.unique("SECRET")), undefined);
  });

  check("is healthy", async (stage) => {
    await stage.runtime.start();
    equal(stage.runtime.health(), undefined);
  });
}

function recordContract(check: Check): void {
  check("a record is read as it was written, over a restart, until it is removed", async (stage) => {
    const key = stage.unique("record/\n:%");
    const value = { text: "ä\u{1F600}", list: [1, null], deep: { zero: 0 } };
    equal(await stage.runtime.records.get(key), undefined);
    const etag = await stage.runtime.records.put(key, value);
    deepEqual(await stage.runtime.records.get(key), { value, etag });
    await stage.restart();
    deepEqual(await stage.runtime.records.get(key), { value, etag });
    await stage.runtime.records.remove(key);
    await stage.runtime.records.remove(key);
    equal(await stage.runtime.records.get(key), undefined);
  });

  check("a record is written only over what the writer saw", async ({ runtime: { records }, unique }) => {
    const key = unique("guarded");
    const first = await records.put(key, 1, { etag: null });
    await rejects(records.put(key, 2, { etag: null }), ConflictError);
    const second = await records.put(key, 2, { etag: first });
    notEqual(second, first);
    await rejects(records.put(key, 3, { etag: first }), ConflictError);
    equal((await records.get(key))?.value, 2);
    await records.put(key, 4);
    await rejects(records.put(key, 5, { etag: second }), ConflictError);
    await records.remove(key);
    await rejects(records.put(key, 6, { etag: second }), ConflictError);
    await records.put(key, 7, { etag: null });
    await rejects(records.put(key, 8, { etag: first }), ConflictError, "an old etag never returns");
    equal((await records.get(key))?.value, 7);
  });

  check("of many who write over the same value one succeeds", async ({ runtime: { records }, unique }) => {
    const etag = await records.put(unique("claim"), 0);
    const claims = await Promise.allSettled(range(8).map((n) => records.put(unique("claim"), n, { etag })));
    equal(claims.filter((claim) => claim.status === "fulfilled").length, 1);
  });

  check("a record is forgotten after its time", async ({ runtime: { records }, unique, until, quiet }) => {
    const key = unique("expires");
    const etag = await records.put(key, 1, { ttlMs: 1000 });
    await records.put(unique("stays"), 1, { ttlMs: 60_000 });
    equal((await records.get(key))?.value, 1);
    await until(async () => (await records.get(key)) === undefined, "it is forgotten");
    await rejects(records.put(key, 2, { etag }), ConflictError);
    await records.put(key, 3, { etag: null });
    await quiet(1200);
    equal((await records.get(key))?.value, 3, "written without a time it stays");
    equal((await records.get(unique("stays")))?.value, 1);
  });
}

function transcriptContract(check: Check): void {
  check("a transcript keeps its entries in order, each key once, over a restart", async (stage) => {
    const here = stage.unique("talk");
    const written = await Promise.all(
      range(5).map((n) => stage.runtime.transcript.append(here, `k${n}`, { text: `entry ${n}` })),
    );
    ok(written.every((each) => each.fresh));
    const numbers = written.map((each) => each.n);
    ok(numbers.every((n, at) => at === 0 || n > (numbers[at - 1] ?? 0)));
    await stage.runtime.transcript.append(stage.unique("other"), "k1", "elsewhere");
    await stage.restart();
    const { transcript } = stage.runtime;
    deepEqual(await transcript.append(here, "k1", { text: "changed" }), { n: numbers[1], fresh: false });
    const all = await transcript.list(here, { after: 0, limit: 100 });
    deepEqual(
      all.map((each) => [each.n, each.key, each.entry]),
      range(5).map((n) => [numbers[n], `k${n}`, { text: `entry ${n}` }]),
    );
    ok(all.every((each) => Math.abs(each.at - Date.now()) < 60_000));
    const next = await transcript.append(here, "k5", 5);
    ok(next.n > (numbers[4] ?? 0) && next.fresh);
    deepEqual(await transcript.get(here, "k2"), all[2]);
    equal(await transcript.get(here, "none"), undefined);
    equal(await transcript.get(stage.unique("nowhere"), "k1"), undefined);
  });

  check("a transcript is read on from an entry and back from an entry", async ({ runtime: { transcript }, unique }) => {
    const here = unique("pages");
    const numbers: number[] = [];
    for (const n of range(10)) numbers.push((await transcript.append(here, `k${n}`, n)).n);
    const list = async (query: { after?: number; before?: number; limit: number }) =>
      (await transcript.list(here, query)).map((each) => each.entry);
    const at = (n: number) => numbers[n] ?? NaN;
    deepEqual(await list({ after: at(3), limit: 3 }), [4, 5, 6]);
    deepEqual(await list({ before: at(3), limit: 2 }), [1, 2]);
    deepEqual(await list({ after: at(9), limit: 5 }), []);
    deepEqual(await list({ before: at(0), limit: 5 }), []);
    deepEqual(await list({ limit: 3 }), [7, 8, 9]);
    deepEqual(await list({ after: at(1), before: at(5), limit: 2 }), [3, 4]);
  });

  check("a cleared transcript is empty and its numbers go on", async (stage) => {
    const here = stage.unique("clear");
    const { n } = await stage.runtime.transcript.append(here, "k", 1);
    await stage.runtime.transcript.append(stage.unique("kept"), "k", 1);
    await stage.runtime.transcript.clear(here);
    await stage.runtime.transcript.clear(here);
    deepEqual(await stage.runtime.transcript.list(here, { after: 0, limit: 10 }), []);
    await stage.restart();
    const again = await stage.runtime.transcript.append(here, "k", 2);
    ok(again.fresh && again.n > n, "whoever follows from the old number sees it");
    equal((await stage.runtime.transcript.list(stage.unique("kept"), { limit: 10 })).length, 1);
  });
}

function blobContract(check: Check): void {
  check("bytes are read as they were sent, under the digest of their content", async (stage) => {
    const bytes = randomBytes(300_000);
    const digest = createHash("sha256").update(bytes).digest("hex");
    const put = (type: string, name?: string) =>
      stage.runtime.blobs.put(streamOf(bytes.subarray(0, 100_000), bytes.subarray(100_000)), {
        type,
        ...(name === undefined ? {} : { name }),
        maxBytes: 300_000,
      });
    const blob = await put("image/png", "photo.png");
    deepEqual(blob, { id: digest, type: "image/png", name: "photo.png", size: 300_000 });
    await stage.restart();
    equal((await put("text/html")).id, digest);
    const found = await stage.runtime.blobs.get(digest);
    ok(found !== undefined);
    const { body, ...rest } = found;
    deepEqual(rest, blob, "the same bytes sent again as something else do not change what they are");
    ok(Buffer.from(await new Response(body).arrayBuffer()).equals(bytes));
  });

  check("no bytes are kept past the limit", async ({ runtime: { blobs } }) => {
    const bytes = randomBytes(2000);
    const tooMuch = blobs.put(streamOf(bytes.subarray(0, 1500), bytes.subarray(1500)), { type: "a/b", maxBytes: 1999 });
    await rejects(tooMuch, (error) => error instanceof InputError && error.status === 413);
    equal(await blobs.get(createHash("sha256").update(bytes).digest("hex")), undefined);
    equal((await blobs.put(streamOf(), { type: "a/b", maxBytes: 0 })).size, 0);
  });

  check("bytes that no message had yet are read as any others, and still are once one has them", async (stage) => {
    const bytes = randomBytes(1000);
    const { id } = await stage.runtime.blobs.put(streamOf(bytes), { type: "a/b", maxBytes: 1000, draft: true });
    for (const use of [false, true, false]) {
      const found = await stage.runtime.blobs.get(id, { use });
      ok(found !== undefined && Buffer.from(await new Response(found.body).arrayBuffer()).equals(bytes));
      await stage.restart();
    }
    equal(await stage.runtime.blobs.get("0".repeat(64), { use: true }), undefined);
  });

  check("bytes that were removed are gone, and may be put again", async (stage) => {
    const bytes = randomBytes(700_000);
    const put = (of: Uint8Array) => stage.runtime.blobs.put(streamOf(of), { type: "a/b", maxBytes: 700_000 });
    const { id } = await put(bytes);
    const other = await put(randomBytes(10));
    await stage.runtime.blobs.remove(id);
    await stage.runtime.blobs.remove(id);
    await stage.runtime.blobs.remove("../ascent.db");
    equal(await stage.runtime.blobs.get(id), undefined);
    await stage.restart();
    equal(await stage.runtime.blobs.get(id), undefined);
    const kept = await stage.runtime.blobs.get(other.id);
    equal((await new Response(kept?.body).arrayBuffer()).byteLength, 10);
    equal((await put(bytes)).id, id);
    const again = await stage.runtime.blobs.get(id);
    ok(again !== undefined && Buffer.from(await new Response(again.body).arrayBuffer()).equals(bytes));
  });

  check("the same bytes of two tenants are two blobs: neither sees, names or deletes the other's", async (stage) => {
    const bytes = randomBytes(700_000);
    const [one, two] = ["one", "two"].map((tenant) => blobsOf(stage.runtime.blobs, tenant)) as [Blobs, Blobs];
    const put = (of: Blobs, name: string) => of.put(streamOf(bytes), { type: "a/b", name, maxBytes: 700_000 });
    const first = await put(one, "plans-of-one.pdf");
    const second = await put(two, "two.pdf");
    equal(second.name, "two.pdf");
    equal((await put(one, "again.pdf")).id, first.id);
    equal(await two.get(first.id, { use: true }), undefined);
    equal(await two.get(createHash("sha256").update(bytes).digest("hex")), undefined);
    await two.remove(first.id);
    await two.remove(second.id);
    equal(await two.get(second.id), undefined);
    await stage.restart();
    const kept = await blobsOf(stage.runtime.blobs, "one").get(first.id);
    equal(kept?.name, "plans-of-one.pdf");
    ok(Buffer.from(await new Response(kept?.body).arrayBuffer()).equals(bytes));
  });

  check("a body that breaks off leaves nothing", async ({ runtime: { blobs } }) => {
    const broken = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(new Uint8Array(10));
        controller.error(new Error("the sender went away"));
      },
    });
    await rejects(blobs.put(broken, { type: "a/b", maxBytes: 100 }), /went away/);
    equal(await blobs.get(createHash("sha256").update(new Uint8Array(10)).digest("hex")), undefined);
  });

  check("an id that is none finds nothing", async ({ runtime: { blobs } }) => {
    for (const id of ["", ".", "../ascent.db", "..%2f..%2fetc/passwd", "0".repeat(64), "\u0000"]) {
      equal(await blobs.get(id), undefined);
    }
  });
}
