import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { readdirSync, statSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, test } from "vitest";
import { openEmbedded, type EmbeddedRuntime } from "../../adapters/embedded/index.ts";
import type { Limits } from "../../adapters/embedded/limits.ts";
import { OverloadedError } from "../../src/errors.ts";
import { agent, clock, eventOf, newDirectory, quietLog } from "./embedded-fixture.ts";

describe("the embedded runtime under load", () => {
  let directory = "";
  let runtime: EmbeddedRuntime | undefined;
  beforeEach(() => {
    directory = newDirectory();
  });
  afterEach(async () => {
    await runtime?.stop(0);
    await rm(directory, { recursive: true });
  });
  const open = async (limits: Partial<Limits> = {}) =>
    (runtime = await openEmbedded({ directory, clock, log: quietLog, limits }));
  const numbers = (count: number) => Array.from({ length: count }, (_, n) => n);
  const rows = (of: EmbeddedRuntime, table: string) =>
    Number(of.inside.store.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.["n"]);

  test("a flood in one subject is kept in order beyond the window, and starves no other", async () => {
    const { bus, start } = await open({ windowRows: 20, windowPerSubject: 4, handlers: 1 });
    const seen: { subject: string; n: number; place: number }[] = [];
    bus.subscribe("inbound", async ({ subject, data }) => {
      await sleep(1);
      seen.push({ subject, n: (data as { n: number }).n, place: seen.length });
    });
    await bus.publish(
      "inbound",
      numbers(400).map((n) => eventOf("flood", n, "x".repeat(500))),
    );
    await bus.publish(
      "inbound",
      numbers(10).map((n) => eventOf(`quiet${n}`, n)),
    );
    await start();
    for (let step = 0; step < 500 && seen.length < 410; step += 1) await sleep(10);
    deepEqual(
      seen.filter((each) => each.subject === "flood").map((each) => each.n),
      numbers(400),
    );
    const quiet = seen.filter((each) => each.subject !== "flood");
    equal(quiet.length, 10);
    ok(
      quiet.every((each) => each.place < 30),
      JSON.stringify(quiet.map((each) => each.place)),
    );
  });

  test("more than it can hold is refused before anything is written, and taken again later", async () => {
    const first = await open({ backlogRows: 10 });
    await first.bus.publish(
      "inbound",
      numbers(8).map((n) => eventOf(`s${n}`, n)),
    );
    await rejects(
      first.bus.publish(
        "inbound",
        numbers(3).map((n) => eventOf(`t${n}`, n)),
      ),
      OverloadedError,
    );
    equal(rows(first, "bus"), 8);
    await first.bus.publish("outbound", [eventOf("other", 1)]);
    await first.stop(0);

    const second = await open({ backlogRows: 10 });
    await rejects(
      second.bus.publish(
        "inbound",
        numbers(3).map((n) => eventOf(`t${n}`, n)),
      ),
      OverloadedError,
    );
    second.bus.subscribe("inbound", async () => undefined);
    await second.start();
    for (let step = 0; step < 200 && rows(second, "bus") > 1; step += 1) await sleep(10);
    await second.bus.publish(
      "inbound",
      numbers(10).map((n) => eventOf(`t${n}`, n)),
    );
  });

  describe("where there are several tenants", () => {
    const floodOf = (tenant: string, count: number) => numbers(count).map((n) => eventOf(`${tenant}:chat:${n}`, n));

    test("one that floods is refused while others still have room, also after a restart", async () => {
      const limits = { backlogRows: 100, shared: true };
      const fill = async (of: EmbeddedRuntime, tenant: string) => {
        let taken = 0;
        for (const event of floodOf(tenant, 200)) {
          const refused = await of.bus.publish("inbound", [event]).then(
            () => undefined,
            (error: unknown) => error,
          );
          if (refused !== undefined) {
            ok(refused instanceof OverloadedError);
            return taken;
          }
          taken += 1;
        }
        return taken;
      };
      const first = await open(limits);
      equal(await fill(first, "flood"), 50);
      await first.stop(0);
      const second = await open(limits);
      equal(await fill(second, "flood"), 0);
      equal(await fill(second, "quiet"), 25);
    });

    test("one with thousands of conversations holds up nobody else's", async () => {
      const { bus, start } = await open({ handlers: 4, shared: true });
      const seen: string[] = [];
      bus.subscribe("inbound", async ({ subject }) => {
        await sleep(1);
        seen.push(subject);
      });
      await bus.publish("inbound", floodOf("flood", 2_000));
      await bus.publish("inbound", floodOf("quiet", 20));
      await start();
      for (let step = 0; step < 500 && seen.length < 2_020; step += 1) await sleep(10);
      equal(seen.length, 2_020);
      ok(seen.findLastIndex((subject) => subject.startsWith("quiet")) < 100);
    });

    test("one whose handling hangs leaves handlers to the others", async () => {
      const { bus, start } = await open({ handlers: 8, shared: true });
      const hang = Promise.withResolvers<void>();
      let seen = 0;
      bus.subscribe("outbound", async ({ subject }) => {
        if (subject.includes("hung:")) await hang.promise;
        else seen += 1;
      });
      await start();
      await bus.publish("outbound", [...floodOf("hung", 50), ...floodOf("also hung", 50), ...floodOf("quiet", 50)]);
      for (let step = 0; step < 200 && seen < 50; step += 1) await sleep(10);
      equal(seen, 50);
      hang.resolve();
    });
  });

  test("one subject cannot fill the backlog; an actor's own events are never refused", async () => {
    const { bus, actors, inside } = await open({ backlogPerSubject: 5, backlogRows: 8 });
    await bus.publish(
      "outbound",
      numbers(5).map((n) => eventOf("flood", n)),
    );
    await rejects(bus.publish("outbound", [eventOf("flood", 6)]), OverloadedError);
    await bus.publish("outbound", [eventOf("quiet", 1)]);
    actors.register(async (context) => ({
      call: () =>
        context.commit({ publish: numbers(5).map((n) => ({ topic: "outbound", event: eventOf("flood", n + 6) })) }),
      remind: async () => undefined,
    }));
    await actors.call(agent("a"), "publish", null);
    equal(inside.store.prepare("SELECT count(*) AS n FROM bus").get()?.["n"], 11);
  });

  test("an idle conversation is packed bytes and nothing else, and wakes up as it was", async () => {
    const of = await open({ idleMs: 300 });
    const text = "Morgen wird es wechselhaft, mit Schauern und Wind aus Nordwest. ";
    let activations = 0;
    of.actors.register(async (context) => {
      activations += 1;
      const found = await context.load(["inbox", "history", "gone"]);
      return {
        async call(method, data) {
          if (method === "read") return Object.fromEntries(found);
          if (method === "change") return context.commit({ put: { inbox: { v: 2 } }, remove: ["history", "gone"] });
          const items = numbers(8).map((n) => ({ role: "user", text: text + Math.random(), n }));
          await context.commit({ put: { inbox: { v: 1, n: data }, history: { v: 1, items } } });
          await context.commit({ put: { gone: 1 }, arm: { name: "watch", periodMs: 60_000 } });
          await context.commit({ remove: ["gone"] });
          await context.disarm("watch");
          return JSON.stringify({ inbox: { v: 1, n: data }, history: { v: 1, items } }).length;
        },
        remind: async () => undefined,
      };
    });
    await of.start();
    const id = (n: number) => agent(`person:default:telegram:bot:${1_000_000 + ((n * 7919) % 1_000_000)}`);
    let bytes = 0;
    for (let from = 0; from < 3000; from += 100) {
      const sizes = await Promise.all(numbers(100).map((n) => of.actors.call(id(from + n), "talk", from + n)));
      bytes += sizes.reduce<number>((sum, size) => sum + Number(size), 0);
    }
    for (let step = 0; step < 1500 && (of.inside.active() > 0 || rows(of, "state") > 0); step += 1) await sleep(10);
    equal(of.inside.active(), 0);
    equal(rows(of, "state"), 0);
    equal(rows(of, "reminder"), 0);
    equal(rows(of, "idle"), 3000);

    const woken = activations;
    const read = (await of.actors.call(id(7), "read", null)) as { inbox: unknown; history: { items: unknown[] } };
    deepEqual(read.inbox, { v: 1, n: 7 });
    equal(read.history.items.length, 8);
    equal(activations, woken + 1);
    await of.actors.call(id(7), "change", null);
    for (let step = 0; step < 300 && of.inside.active() > 0; step += 1) await sleep(10);
    deepEqual(await of.actors.call(id(7), "read", null), { inbox: { v: 2 } }, "what was removed stays removed");

    of.inside.store.prepare("PRAGMA incremental_vacuum").all();
    await of.stop(0);
    const disk = readdirSync(directory, { withFileTypes: true })
      .filter((file) => file.isFile())
      .reduce((sum, file) => sum + statSync(join(directory, file.name)).size, 0);
    ok(disk < bytes * 1.5, `${disk} bytes on disk for ${bytes} of state`);
  });

  test("a process that dies leaves nothing unpacked for long", async () => {
    const make = async (idleMs: number) => {
      const of = await open({ idleMs });
      of.actors.register(async (context) => ({
        call: () => context.commit({ put: { inbox: { v: 1, text: context.id.repeat(30) }, "seen:1:0": [] } }),
        remind: async () => undefined,
      }));
      await of.start();
      return of;
    };
    const first = await make(60_000);
    await Promise.all(numbers(100).map((n) => first.actors.call(agent(`a${n}`), "write", null)));
    await first.stop(0);
    const second = await make(60_000);
    for (let step = 0; step < 300 && rows(second, "state") + rows(second, "chunk") > 0; step += 1) await sleep(10);
    equal(rows(second, "idle"), 100);
  });

  test("an actor that is reminded within its idle time keeps what it holds in memory; disarmed, it leaves", async () => {
    const of = await open({ idleMs: 400 });
    let fired = 0;
    let activations = 0;
    of.actors.register(async (context) => {
      activations += 1;
      return {
        call: () => context.commit({ put: { a: 1 }, arm: { name: "tick", periodMs: 100 } }),
        async remind(name) {
          fired += 1;
          if (fired === 12) await context.disarm(name);
        },
      };
    });
    await of.start();
    await of.actors.call(agent("ticking"), "arm", null);
    for (let step = 0; step < 500 && fired < 12; step += 1) await sleep(10);
    equal(activations, 1);
    for (let step = 0; step < 500 && of.inside.active() > 0; step += 1) await sleep(10);
    equal(of.inside.active(), 0);
    equal(fired, 12);
  });

  test("very many armed reminders hold up no start, and all fire", async () => {
    const first = await open();
    const put = first.inside.store.prepare("INSERT INTO reminder VALUES ('a' || ?, 'watch', 0, 600000)");
    await first.inside.store.write(() => {
      for (const n of numbers(20_000)) put.run(n);
    });
    await first.stop(0);
    const second = await open({ idleMs: 100 });
    let fired = 0;
    second.actors.register(async () => ({ call: async () => undefined, remind: async () => void (fired += 1) }));
    const before = performance.now();
    await second.start();
    ok(performance.now() - before < 2000, "the start does not wait for them");
    for (let step = 0; step < 1500 && fired < 20_000; step += 1) await sleep(10);
    equal(fired, 20_000);
  });
});
