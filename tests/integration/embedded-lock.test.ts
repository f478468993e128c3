import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, test } from "vitest";
import { openEmbedded } from "../../adapters/embedded/index.ts";
import { holderOf } from "../../adapters/embedded/lock.ts";
import { clock, newDirectory, quietLog } from "./embedded-fixture.ts";
import { startChild, type Child } from "./embedded-process.ts";

describe("the embedded runtime's data directory", () => {
  let directory = "";
  const children: Child[] = [];
  const start = (role: string) => {
    const child = startChild(directory, role);
    children.push(child);
    return child;
  };
  const open = (at = directory) => openEmbedded({ directory: at, clock, log: quietLog });

  beforeEach(() => {
    directory = newDirectory();
  });
  afterEach(async () => {
    for (const child of children.splice(0)) await child.kill();
    await rm(directory, { recursive: true });
  });

  test("a second process is refused, and told who has the data and what to do", async () => {
    const first = start("hold");
    await first.line("ready");
    const refused = String((await start("hold").line("refused"))["refused"]);
    match(refused, new RegExp(`process ${first.pid} at http://127.0.0.1/hold, running since 20`));
    match(refused, /Stop it first/);
    await rejects(open(), /already works/);
    const holder = await holderOf(directory);
    equal(holder?.pid, first.pid);
    equal(holder?.address, "http://127.0.0.1/hold");
  });

  test("kill -9 frees the data at once", async () => {
    const first = start("hold");
    await first.line("ready");
    await first.kill();
    equal(await holderOf(directory), undefined);
    const runtime = await open();
    equal((await holderOf(directory))?.pid, process.pid);
    await runtime.stop(0);
    equal(await holderOf(directory), undefined);
  });

  test("a second runtime in the same process is refused as well, and stopping twice is no error", async () => {
    const runtime = await open();
    await rejects(open(), new RegExp(`process ${process.pid}`));
    await runtime.stop(0);
    await runtime.stop(0);
    await (await open()).stop(0);
  });

  test("asking who holds it never makes a start fail", async () => {
    const runtime = await open();
    await runtime.stop(0);
    const asking = new DatabaseSync(join(directory, "lock"), { readOnly: true });
    asking.exec("BEGIN");
    asking.prepare("SELECT count(*) FROM sqlite_master").get();
    const child = start("hold");
    await child.line("starting");
    // Shorter than a start waits for the lock.
    await sleep(300);
    asking.close();
    equal((await child.line("ready"))["ready"], child.pid);
  });

  test("only this user can read it", async () => {
    const inner = join(directory, "inner");
    const runtime = await open(inner);
    runtime.describe({ token: "t" });
    equal(statSync(inner).mode & 0o777, 0o700);
    for (const name of ["ascent.db", "ascent.db-wal", "lock", "holder.json"]) {
      equal(statSync(join(inner, name)).mode & 0o777, 0o600, name);
    }
    await runtime.stop(0);
  });

  test("what cannot be used is refused with what to do", async () => {
    const file = join(directory, "file");
    writeFileSync(file, "");
    await rejects(open(join(file, "data")), /cannot be written .*ASCENT_DATA/s);
    // A file system that takes no directories.
    await rejects(open("/proc/ascent"), /cannot be written .*ASCENT_DATA/s);

    const damaged = join(directory, "damaged");
    mkdirSync(damaged);
    writeFileSync(join(damaged, "ascent.db"), "no database at all ".repeat(500));
    await rejects(open(damaged), /damaged or not Ascent's .*backup/s);
    ok(readFileSync(join(damaged, "ascent.db"), "utf8").startsWith("no database"), "and left as it is");

    const newer = join(directory, "newer");
    await (await open(newer)).stop(0);
    const db = new DatabaseSync(join(newer, "ascent.db"));
    db.exec("PRAGMA user_version = 99");
    db.close();
    await rejects(open(newer), /newer version of Ascent \(layout 99/);
    deepEqual(await holderOf(newer), undefined, "a refused start holds nothing");
  });
});
