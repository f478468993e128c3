import { deepEqual, equal, ok } from "node:assert/strict";
import type { CloudEvent } from "../../src/ports.ts";
import { numberOf, range, recorder, type Check } from "./runtime-stage.ts";

export function busContract(check: Check): void {
  check("delivers an event as it was published, to its topic's subscriber alone", async ({ runtime, event, until }) => {
    const inbound = recorder(runtime, "inbound");
    const outbound = recorder(runtime, "outbound");
    await runtime.start();
    const sent: CloudEvent = {
      ...event("one", 1),
      previous: "before",
      earlier: "second first",
      data: { n: 1, text: "a\u0000 \u{1F600} \"'\n" },
    };
    await runtime.bus.publish("inbound", [sent]);
    await until(() => inbound.seen.length > 0, "the delivery");
    deepEqual(JSON.parse(JSON.stringify(inbound.seen[0])), sent);
    deepEqual(outbound.seen, []);
  });

  check("delivers what was published before the start", async ({ runtime, event, unique, until }) => {
    const { of } = recorder(runtime, "inbound");
    await runtime.bus.publish("inbound", [event("early", 1), event("early", 2)]);
    await runtime.start();
    await until(() => new Set(of(unique("early"))).size === 2, "both deliveries");
  });

  check("publishing nothing is no error", async ({ runtime }) => {
    await runtime.bus.publish("inbound", []);
  });

  check("delivers each subject in its order, one at a time", async ({ runtime, event, unique, until }) => {
    const running = new Map<string, number>();
    let overlaps = 0;
    const { of } = recorder(runtime, "inbound", async ({ subject }) => {
      const now = (running.get(subject) ?? 0) + 1;
      running.set(subject, now);
      if (now > 1) overlaps += 1;
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 2));
      running.set(subject, now - 1);
    });
    await runtime.start();
    const subjects = ["a", "b", "c"];
    for (const n of range(30)) {
      const batch = range(3, n * 3);
      await Promise.all(
        subjects.map((each) =>
          runtime.bus.publish(
            "inbound",
            batch.map((m) => event(each, m)),
          ),
        ),
      );
    }
    for (const each of subjects) {
      await until(() => new Set(of(unique(each))).size === 90, `all of subject ${each}`);
      if (!runtime.bus.ordered) continue;
      deepEqual(of(unique(each)), range(90));
      equal(overlaps, 0);
    }
  });

  check("keeps the order of calls that nobody awaited", async ({ runtime, event, unique, until }) => {
    const { of } = recorder(runtime, "inbound");
    await runtime.start();
    await Promise.all(range(50).map((n) => runtime.bus.publish("inbound", [event("burst", n)])));
    await until(() => new Set(of(unique("burst"))).size === 50, "all deliveries");
    if (runtime.bus.ordered) deepEqual(of(unique("burst")), range(50));
  });

  check("a subject whose handler takes long holds up no other", async ({ runtime, event, unique, until }) => {
    const gate = Promise.withResolvers<void>();
    const { of } = recorder(runtime, "inbound", async ({ subject }) => {
      if (subject === unique("slow")) await gate.promise;
    });
    await runtime.start();
    await runtime.bus.publish("inbound", [event("slow", 1), event("slow", 2)]);
    await runtime.bus.publish(
      "inbound",
      range(10).map((n) => event("quick", n)),
    );
    if (runtime.bus.isolated)
      await until(() => new Set(of(unique("quick"))).size === 10, "the quick subject's deliveries");
    if (runtime.bus.ordered) deepEqual(of(unique("slow")), [1]);
    gate.resolve();
    await until(() => of(unique("slow")).includes(2), "the slow subject goes on");
    await until(() => new Set(of(unique("quick"))).size === 10, "the quick subject goes on");
  });

  check("handles many subjects at once", async ({ runtime, event, until }) => {
    const gate = Promise.withResolvers<void>();
    const { seen } = recorder(runtime, "inbound", () => gate.promise);
    await runtime.start();
    await runtime.bus.publish(
      "inbound",
      range(20).map((n) => event(`many${n}`, n)),
    );
    if (runtime.bus.isolated) await until(() => new Set(seen.map(numberOf)).size === 20, "twenty handlers at once");
    else await until(() => new Set(seen.map(numberOf)).size > 1, "several handlers at once");
    gate.resolve();
    await until(() => new Set(seen.map(numberOf)).size === 20, "all deliveries");
  });

  check("the same event published twice is no error", async ({ runtime, event, unique, until }) => {
    const { of } = recorder(runtime, "inbound");
    await runtime.start();
    await runtime.bus.publish("inbound", [event("twice", 1), event("twice", 1), event("twice", 2)]);
    await until(() => of(unique("twice")).includes(2), "the event behind them");
    ok(of(unique("twice")).includes(1));
  });

  check("delivers again what was not acknowledged before a restart, and only that", async (stage) => {
    const { event, unique, until, quiet } = stage;
    const subject = unique("crash");
    let stuck = 0;
    const first = recorder(stage.runtime, "inbound", async (got) => {
      if (got.subject !== subject || numberOf(got) < 3) return;
      stuck += 1;
      await new Promise(() => undefined);
    });
    await stage.runtime.start();
    await stage.runtime.bus.publish(
      "inbound",
      range(6).map((n) => event("crash", n)),
    );
    await until(() => stuck > 0 && new Set(first.of(subject)).size >= 4, "three deliveries and one that is stuck");
    await quiet(200);

    const second = recorder(await stage.restart(), "inbound");
    await stage.runtime.start();
    await until(() => new Set(second.of(subject)).size === 3, "what was not acknowledged");
    await quiet(200);
    if (stage.runtime.bus.ordered) deepEqual(second.of(subject), [3, 4, 5]);
    else
      deepEqual(
        [...new Set(second.of(subject))].toSorted((a, b) => a - b),
        [3, 4, 5],
      );
  });

  check("stops after the running handlers, and delivers nothing more", async (stage) => {
    const { event, unique, until, quiet } = stage;
    const subject = unique("grace");
    let ended = 0;
    const first = recorder(stage.runtime, "inbound", async () => {
      await quiet(300);
      ended += 1;
    });
    const old = stage.runtime;
    await old.start();
    await old.bus.publish("inbound", [event("grace", 1), event("grace", 2)]);
    await until(() => first.of(subject).length > 0, "a running handler");
    const began = first.of(subject).length;
    await old.stop(5000 * stage.slowness);
    equal(ended, began, "every handler that began has ended");
    equal(first.of(subject).length, began, "none began after that");

    const second = recorder(await stage.restart(), "inbound");
    await stage.runtime.start();
    if (stage.runtime.bus.ordered) {
      await until(() => second.of(subject).length === 1, "the one that waited");
      deepEqual(second.of(subject), [2], "what was handled is acknowledged");
    }
  });

  check("does not wait longer for handlers than it was told", async (stage) => {
    const { event, until } = stage;
    const { seen } = recorder(stage.runtime, "inbound", () => new Promise(() => undefined));
    await stage.runtime.start();
    await stage.runtime.bus.publish("inbound", [event("hang", 1)]);
    await until(() => seen.length > 0, "a handler that hangs");
    const before = performance.now();
    await stage.runtime.stop(200);
    ok(performance.now() - before < 3000 * stage.slowness);
  });
}
