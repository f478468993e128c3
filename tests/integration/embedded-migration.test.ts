import { deepEqual, equal, rejects } from "node:assert/strict";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, test } from "vitest";
import { openEmbedded } from "../../adapters/embedded/index.ts";
import { toVersion1 } from "../../adapters/embedded/migrations/001.ts";
import { agent, clock, eventOf, newDirectory, quietLog } from "./embedded-fixture.ts";

/** The prototype's layout, as it stood on disk. */
const version0 = `
  CREATE TABLE events (id INTEGER PRIMARY KEY, topic TEXT, event TEXT);
  CREATE TABLE actors (id TEXT PRIMARY KEY, blob TEXT);
  CREATE TABLE reminders (actor TEXT, name TEXT, due INTEGER);
`;

test("rows of version 1 are where they are looked for", async () => {
  const directory = newDirectory();
  const db = new DatabaseSync(join(directory, "ascent.db"));
  toVersion1(db);
  db.exec("PRAGMA user_version = 1");
  const put = db.prepare("INSERT INTO state VALUES ('a', ?, ?)");
  for (const key of ["inbox", "seen:1:0"]) put.run(key, JSON.stringify([key]));
  db.close();
  const runtime = await openEmbedded({ directory, clock, log: quietLog });
  runtime.actors.register(async (context) => ({
    call: async () => Object.fromEntries(await context.load(["inbox", "seen:1:0"])),
    remind: async () => undefined,
  }));
  await runtime.start();
  deepEqual(await runtime.actors.call(agent("a"), "read", null), { inbox: ["inbox"], "seen:1:0": ["seen:1:0"] });
  await runtime.stop(0);
  await rm(directory, { recursive: true });
});

describe("data of version 0", () => {
  let directory = "";
  beforeEach(() => {
    directory = newDirectory();
  });
  afterEach(() => rm(directory, { recursive: true }));

  function plant(fill: (db: DatabaseSync) => void): void {
    const db = new DatabaseSync(join(directory, "ascent.db"));
    db.exec(version0);
    fill(db);
    db.close();
  }
  const layout = () => {
    const db = new DatabaseSync(join(directory, "ascent.db"), { readOnly: true });
    const row = db.prepare("PRAGMA user_version").get();
    db.close();
    return row?.["user_version"];
  };

  test("is delivered, read and reminded after a start", async () => {
    plant((db) => {
      const event = db.prepare("INSERT INTO events (topic, event) VALUES (?, ?)");
      for (const n of [1, 2, 3]) event.run("inbound", JSON.stringify(eventOf("old", n)));
      event.run("outbound", JSON.stringify(eventOf("old", 4)));
      db.prepare("INSERT INTO actors VALUES ('a', ?)").run(
        JSON.stringify({ inbox: { queue: ["m1"] }, history: [{ role: "user" }] }),
      );
      db.prepare("INSERT INTO reminders VALUES ('a', 'watchdog', 1)").run();
    });
    for (const start of ["first", "second"]) {
      const runtime = await openEmbedded({ directory, clock, log: quietLog });
      const seen: string[] = [];
      const reminded: string[] = [];
      const hang = start === "first";
      runtime.bus.subscribe("inbound", async (event) => {
        seen.push(event.id);
        if (hang) await new Promise(() => undefined);
      });
      runtime.bus.subscribe("outbound", async (event) => void seen.push(event.id));
      runtime.actors.register(async (context) => ({
        call: async () => Object.fromEntries(await context.load(["inbox", "history"])),
        remind: async (name) => void reminded.push(name),
      }));
      await runtime.start();
      deepEqual(await runtime.actors.call(agent("a"), "read", null), {
        inbox: { v: 1, queue: ["m1"] },
        history: { v: 1, items: [{ role: "user" }] },
      });
      for (let step = 0; step < 300 && reminded.length === 0; step += 1) await sleep(10);
      deepEqual(reminded, ["watchdog"]);
      deepEqual(seen.toSorted(), hang ? ["old-1", "old-4"] : ["old-1", "old-2", "old-3"]);
      await runtime.stop(0);
      equal(layout(), 3);
    }
  });

  test("a migration that fails changes nothing, so that it can be tried again", async () => {
    plant((db) => {
      db.prepare("INSERT INTO events (topic, event) VALUES ('inbound', ?)").run(JSON.stringify(eventOf("old", 1)));
      db.prepare("INSERT INTO actors VALUES ('a', 'no json')").run();
    });
    await rejects(openEmbedded({ directory, clock, log: quietLog }), /cannot be opened/);
    equal(layout(), 0);
    const db = new DatabaseSync(join(directory, "ascent.db"));
    equal(db.prepare("SELECT count(*) AS n FROM events").get()?.["n"], 1);
    equal(db.prepare("SELECT count(*) AS n FROM sqlite_master WHERE name = 'bus'").get()?.["n"], 0);
    db.close();
  });
});
