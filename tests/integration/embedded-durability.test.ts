import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, test } from "vitest";
import { openEmbedded } from "../../adapters/embedded/index.ts";
import { InfrastructureError } from "../../src/errors.ts";
import { needs } from "../needs.ts";
import { agent, clock, eventOf, newDirectory, quietLog } from "./embedded-fixture.ts";
import { startChild } from "./embedded-process.ts";

/** Of util-linux: sets the size that a file of a process may reach. */
const limiter = needs("prlimit");

describe("what the embedded runtime said it wrote", () => {
  let directory = "";
  beforeEach(() => {
    directory = newDirectory();
  });
  afterEach(() => rm(directory, { recursive: true }));
  const open = () => openEmbedded({ directory, clock, log: quietLog });

  test("is there after kill -9, again and again, in its order", async () => {
    const published: string[] = [];
    const counts = new Map<string, number>();
    const kills = 8;
    for (let life = 0; life < kills; life += 1) {
      const child = startChild(directory, "write", life);
      await child.line("published");
      await sleep(100 + Math.random() * 300);
      await child.kill();
      for (const line of child.lines) {
        if (typeof line["published"] === "string") published.push(line["published"]);
        if (typeof line["of"] === "string") counts.set(line["of"], Number(line["count"]));
      }
    }
    ok(published.length > kills * 20, `${published.length} events`);

    const runtime = await open();
    const seen = new Map<string, number[]>();
    const ids = new Set<string>();
    runtime.bus.subscribe("outbound", async (event) => {
      ids.add(event.id);
      const numbers = seen.get(event.subject) ?? [];
      seen.set(event.subject, numbers);
      numbers.push((event.data as { n: number }).n);
    });
    runtime.actors.register(async (context) => ({
      call: async () => (await context.load(["count"])).get("count"),
      remind: async () => undefined,
    }));
    await runtime.start();
    for (let step = 0; step < 500 && published.some((id) => !ids.has(id)); step += 1) await sleep(10);
    deepEqual(
      published.filter((id) => !ids.has(id)),
      [],
    );
    for (const numbers of seen.values())
      deepEqual(
        numbers,
        numbers.toSorted((a, b) => a - b),
      );
    for (const [name, count] of counts) {
      const stored = Number(await runtime.actors.call(agent(name), "read", null));
      ok(stored === count || stored === count + 1, `${name}: said ${count}, stored ${stored}`);
    }
    await runtime.stop(1000);
  });

  test("shares one commit with everything of the same turn of the event loop", async () => {
    const runtime = await open();
    const before = runtime.inside.commits();
    await Promise.all([
      ...Array.from({ length: 100 }, (_, n) => runtime.bus.publish("inbound", [eventOf("a", n)])),
      ...Array.from({ length: 100 }, (_, n) => runtime.records.put(`r${n}`, n)),
    ]);
    equal(runtime.inside.commits() - before, 1);
    await runtime.stop(0);
  });

  test("acknowledges in the next commit, or in one of its own soon after", async () => {
    const runtime = await open();
    let handled = 0;
    runtime.bus.subscribe("inbound", async () => void (handled += 1));
    await runtime.start();
    const before = runtime.inside.commits();
    await runtime.bus.publish(
      "inbound",
      Array.from({ length: 50 }, (_, n) => eventOf(`s${n}`, n)),
    );
    const rows = () => runtime.inside.store.prepare("SELECT count(*) AS n FROM bus").get()?.["n"];
    for (let step = 0; step < 100 && rows() !== 0; step += 1) await sleep(10);
    equal(handled, 50);
    equal(rows(), 0);
    equal(runtime.inside.commits() - before, 2, "one to publish, one to acknowledge");
    await runtime.stop(0);
  });

  test("an acknowledgement that cannot be written is written later", async () => {
    const runtime = await open();
    const handled = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    runtime.bus.subscribe("inbound", () => {
      handled.resolve();
      return gate.promise;
    });
    await runtime.start();
    await runtime.bus.publish("inbound", [eventOf("a", 1)]);
    await handled.promise;
    const other = new DatabaseSync(join(directory, "ascent.db"));
    other.exec("BEGIN IMMEDIATE");
    gate.resolve();
    for (let step = 0; step < 500 && runtime.health() === undefined; step += 1) await sleep(10);
    ok(/cannot write.*locked/.test(runtime.health() ?? ""));
    other.close();
    const rows = () => runtime.inside.store.prepare("SELECT count(*) AS n FROM bus").get()?.["n"];
    for (let step = 0; step < 500 && (rows() !== 0 || runtime.health() !== undefined); step += 1) await sleep(10);
    equal(rows(), 0);
    equal(runtime.health(), undefined);
    await runtime.stop(0);
  });

  test("one write that fails takes no other with it", async () => {
    const runtime = await open();
    const { store } = runtime.inside;
    const put = store.prepare("INSERT INTO meta (name, value) VALUES (?, 1)");
    const failed: string[] = [];
    const write = (name: string) => store.write(() => void put.run(name), { failed: () => void failed.push(name) });
    const guilty = () =>
      store.write(() => {
        put.run("half");
        throw new RangeError("guilty");
      });
    const settled = await Promise.allSettled([write("one"), guilty(), write("one"), write("two")]);
    deepEqual(
      settled.map((each) => each.status),
      ["fulfilled", "rejected", "rejected", "fulfilled"],
    );
    ok(settled[1]?.status === "rejected" && settled[1].reason instanceof RangeError);
    ok(settled[2]?.status === "rejected" && settled[2].reason instanceof InfrastructureError);
    deepEqual(failed, ["one"]);
    const names = store.prepare("SELECT name FROM meta WHERE name IN ('one', 'two', 'half') ORDER BY name").all();
    deepEqual(
      names.map((row) => row["name"]),
      ["one", "two"],
    );
    await runtime.stop(0);
  });

  test("a full file refuses what it cannot keep, and works again without repair", async () => {
    const runtime = await open();
    const { store } = runtime.inside;
    const seen: number[] = [];
    let refuse = true;
    runtime.bus.subscribe("inbound", async (event) => {
      if (refuse) throw new InfrastructureError("wait", { retryAfterMs: 50 });
      seen.push((event.data as { n: number }).n);
    });
    await runtime.start();
    await runtime.bus.publish("inbound", [eventOf("full", 0)]);
    const pages = Number(store.prepare("PRAGMA page_count").get()?.["page_count"]);
    store.prepare(`PRAGMA max_page_count = ${pages + 4}`).get();
    const outcomes = await Promise.allSettled(
      Array.from({ length: 10 }, (_, n) => runtime.bus.publish("inbound", [eventOf("full", n + 1, "x".repeat(8000))])),
    );
    const refused = outcomes.filter((each) => each.status === "rejected");
    ok(refused.length > 5);
    ok(refused.every((each) => each.reason instanceof InfrastructureError && /full/.test(each.reason.message)));
    ok(/cannot write.*full/.test(runtime.health() ?? ""));
    await rejects(runtime.records.put("big", "x".repeat(100_000)), InfrastructureError);

    store.prepare("PRAGMA max_page_count = 1000000").get();
    for (let step = 0; step < 300 && runtime.health() !== undefined; step += 1) await sleep(10);
    equal(runtime.health(), undefined, "it found out by itself");
    await runtime.bus.publish("inbound", [eventOf("full", 99)]);
    refuse = false;
    const kept = outcomes.flatMap((each, n) => (each.status === "fulfilled" ? [n + 1] : []));
    for (let step = 0; step < 300 && !seen.includes(99); step += 1) await sleep(10);
    deepEqual(seen, [0, ...kept, 99]);
    await runtime.stop(100);
  });

  test.skipIf(limiter.missing)("a disk that takes no more at the commit itself does the same", async () => {
    const limit = String(4 * 1024 * 1024);
    const child = startChild(directory, "fill", 0, [limiter.path, `--fsize=${limit}:unlimited`]);
    const outcomes = () => child.lines.filter((line) => "outcome" in line);
    for (let step = 0; step < 1000 && !outcomes().some((line) => line["outcome"] !== "kept"); step += 1)
      await sleep(10);
    const failed = outcomes().find((line) => line["outcome"] !== "kept");
    equal(failed?.["outcome"], "InfrastructureError");
    ok(/cannot write/.test(String(failed?.["health"])));
    await sleep(500);

    equal(spawnSync(limiter.path, ["--pid", String(child.pid), "--fsize=unlimited:unlimited"]).status, 0);
    const until = outcomes().length;
    const well = () =>
      outcomes()
        .slice(until)
        .filter((line) => line["outcome"] === "kept" && line["health"] === null);
    for (let step = 0; step < 500 && well().length < 5; step += 1) await sleep(10);
    ok(well().length >= 5, "it works again");
    await child.kill();

    const runtime = await open();
    const seen = new Set<number>();
    runtime.bus.subscribe("outbound", async (event) => void seen.add((event.data as { n: number }).n));
    await runtime.start();
    const kept = outcomes().flatMap((line) => (line["outcome"] === "kept" ? [Number(line["n"])] : []));
    for (let step = 0; step < 500 && kept.some((n) => !seen.has(n)); step += 1) await sleep(10);
    deepEqual(
      kept.filter((n) => !seen.has(n)),
      [],
    );
    await runtime.stop(1000);
  });
});
