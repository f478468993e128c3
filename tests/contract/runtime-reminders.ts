import { equal, ok } from "node:assert/strict";
import type { AgentId } from "../../src/ids.ts";
import { host, type Stage, type Check } from "./runtime-stage.ts";

/** Actors of this test that arm and disarm what they are told, and record what fires; other tests' may be left at a broker. */
function reminded(stage: Stage, onFire: (name: string) => Promise<void> = async () => undefined) {
  const fired: { readonly id: AgentId; readonly name: string; readonly at: number }[] = [];
  let inside = 0;
  let most = 0;
  const mine = ({ id }: { id: AgentId }) => id.endsWith(stage.unique(""));
  host(stage.runtime, (context) => ({
    methods: {
      arm: (data: { name: string; periodMs: number }) => context.commit({ put: { armed: data.name }, arm: data }),
      disarm: (name: string) => context.disarm(name),
      async work() {
        most = Math.max(most, (inside += 1));
        await new Promise((resolve) => setTimeout(resolve, 100));
        inside -= 1;
      },
    },
    async remind(name) {
      if (!mine(context)) return context.disarm(name);
      most = Math.max(most, (inside += 1));
      fired.push({ id: context.id, name, at: performance.now() });
      try {
        await onFire(name);
      } finally {
        inside -= 1;
      }
    },
  }));
  return { fired, of: (name: string) => fired.filter((each) => each.name === name).length, most: () => most };
}

export function reminderContract(check: Check): void {
  check("a reminder fires every period until it is disarmed", async (stage) => {
    const { fired, of } = reminded(stage);
    const id = stage.agent("periodic");
    await stage.runtime.start();
    const before = performance.now();
    await stage.runtime.actors.call(id, "arm", { name: "tick", periodMs: 1000 });
    await stage.until(() => of("tick") >= 3, "three firings");
    const first = (fired[0]?.at ?? 0) - before;
    ok(first > 700, `not before its period: ${first} ms`);
    ok((fired[2]?.at ?? 0) - before > 2000, "a period between two");
    equal(fired[0]?.id, id);
    await stage.runtime.actors.call(id, "disarm", "tick");
    const count = of("tick");
    await stage.quiet(1500);
    ok(of("tick") <= count + (stage.runtime.bus.ordered ? 0 : 1), "none after it was disarmed");
  });

  check("arming a name again replaces it, other names stay", async (stage) => {
    const { of } = reminded(stage);
    const id = stage.agent("again");
    await stage.runtime.start();
    const call = (method: string, data: unknown) => stage.runtime.actors.call(id, method, data);
    await call("arm", { name: "sooner", periodMs: 60_000 });
    await call("arm", { name: "never", periodMs: 1000 });
    await call("arm", { name: "stays", periodMs: 1000 });
    await call("arm", { name: "never", periodMs: 60_000 });
    await call("arm", { name: "sooner", periodMs: 1000 });
    await stage.until(() => of("sooner") > 0 && of("stays") > 1, "the ones with a short period");
    equal(of("never"), 0);
  });

  check("arming with the same period again and again does not put the firing off", async (stage) => {
    const { of } = reminded(stage);
    const id = stage.agent("busy");
    await stage.runtime.start();
    const began = performance.now();
    while (performance.now() - began < 2500 && of("watch") === 0) {
      await stage.runtime.actors.call(id, "arm", { name: "watch", periodMs: 1000 });
      await stage.quiet(50);
    }
    ok(of("watch") > 0);
  });

  check("a reminder whose handling fails fires again", async (stage) => {
    let failures = 0;
    const { of } = reminded(stage, async () => {
      if ((failures += 1) === 1) throw new Error("not yet");
    });
    await stage.runtime.start();
    await stage.runtime.actors.call(stage.agent("failing"), "arm", { name: "tick", periodMs: 1000 });
    await stage.until(() => of("tick") >= 2, "the second firing");
  });

  check("a reminder survives a restart and fires although nobody calls the actor", async (stage) => {
    reminded(stage);
    const id = stage.agent("survivor");
    await stage.runtime.start();
    await stage.runtime.actors.call(id, "arm", { name: "watch", periodMs: 3000 });
    await stage.runtime.actors.call(id, "arm", { name: "gone", periodMs: 3000 });
    await stage.runtime.actors.call(id, "disarm", "gone");
    await stage.restart();
    const { fired, of } = reminded(stage);
    await stage.runtime.start();
    await stage.until(() => of("watch") > 0, "its firing");
    equal(fired[0]?.id, id);
    equal(of("gone"), 0);
  });

  check("where at most one process hosts actors, what is armed fires soon after a restart", async (stage) => {
    if (!stage.runtime.actors.exclusive) return;
    reminded(stage);
    await stage.runtime.start();
    await stage.runtime.actors.call(stage.agent("soon"), "arm", { name: "watch", periodMs: 600_000 });
    await stage.restart();
    const { of } = reminded(stage);
    await stage.runtime.start();
    await stage.until(() => of("watch") > 0, "its firing");
  });

  check("a reminder never runs beside a call of its actor", async (stage) => {
    const { of, most } = reminded(stage, () => new Promise((resolve) => setTimeout(resolve, 100)));
    const id = stage.agent("mutex");
    await stage.runtime.start();
    await stage.runtime.actors.call(id, "arm", { name: "tick", periodMs: 300 });
    for (let n = 0; n < 12; n += 1) await stage.runtime.actors.call(id, "work", n);
    await stage.until(() => of("tick") > 1, "two firings");
    equal(most(), 1);
  });
}
