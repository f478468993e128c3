import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { TerminalError } from "../../src/errors.ts";
import type { ActorContext } from "../../src/ports.ts";
import { host, range, recorder, type Stage, type Check } from "./runtime-stage.ts";

/** An actor that keeps a list of numbers, in memory and stored. */
function counters(stage: Stage, contexts: ActorContext[] = []): void {
  stage.runtime.actors.register(async (context) => {
    contexts.push(context);
    const stored = await context.load(["list"]);
    const list = (stored.get("list") ?? []) as number[];
    return {
      async call(method, data) {
        if (method === "list") return [...list];
        list.push(data as number);
        if (method === "forget") throw new TerminalError("not written");
        await context.commit({ put: { list } });
        if (method === "fail") throw new TerminalError("written, then failed");
        return list.length;
      },
      remind: async () => undefined,
    };
  });
}

export function actorContract(check: Check): void {
  check("an actor's calls run one at a time, other actors' meanwhile", async (stage) => {
    const { runtime, agent } = stage;
    let together = 0;
    let actors = 0;
    let mostTogether = 0;
    let mostActors = 0;
    host(runtime, () => {
      let inside = 0;
      return {
        methods: {
          async work() {
            mostTogether = Math.max(mostTogether, (inside += 1));
            mostActors = Math.max(mostActors, (actors += 1));
            await new Promise((resolve) => setTimeout(resolve, 30));
            inside -= 1;
            actors -= 1;
            return (together += 1);
          },
        },
      };
    });
    await runtime.start();
    await Promise.all(range(12).map((n) => runtime.actors.call(agent(`mutex${n % 3}`), "work", n)));
    equal(together, 12);
    equal(mostTogether, 1);
    ok(mostActors > 1);
  });

  check("calls that nobody awaited run in their order, and tell their result", async (stage) => {
    counters(stage);
    await stage.runtime.start();
    const id = stage.agent("order");
    const results = await Promise.all(range(10).map((n) => stage.runtime.actors.call(id, "add", n)));
    deepEqual(
      results.toSorted((a, b) => Number(a) - Number(b)),
      range(10, 1),
    );
    if (stage.runtime.bus.ordered) deepEqual(await stage.runtime.actors.call(id, "list", null), range(10));
  });

  check("state survives a restart, under any id", async (stage) => {
    const ids = ["plain", "a:b%2Fc", "line\nbreak", "日本語 \u{1F600}"].map(stage.agent);
    counters(stage);
    await stage.runtime.start();
    for (const [n, id] of ids.entries()) {
      await stage.runtime.actors.call(id, "add", n);
      await stage.runtime.actors.call(id, "add", n + 10);
    }
    await stage.restart();
    counters(stage);
    await stage.runtime.start();
    for (const [n, id] of ids.entries()) deepEqual(await stage.runtime.actors.call(id, "list", null), [n, n + 10]);
  });

  check("a write puts, removes and publishes together", async (stage) => {
    const { event, unique, until } = stage;
    const values = { text: "ä\u0000", list: [1, null, { deep: true }], zero: 0, none: null };
    const make = () =>
      host(stage.runtime, (context) => ({
        methods: {
          write: () => context.commit({ put: { a: values, b: 1, c: 2 } }),
          change: () =>
            context.commit({
              put: { a: 0 },
              remove: ["b", "absent"],
              publish: [
                { topic: "outbound", event: event("out", 1) },
                { topic: "outbound", event: event("out", 2) },
              ],
            }),
          read: async (keys: string[]) => Object.fromEntries(await context.load(keys)),
        },
      }));
    const call = (method: string, data: unknown) => stage.runtime.actors.call(stage.agent("write"), method, data);
    make();
    const { of } = recorder(stage.runtime, "outbound");
    await stage.runtime.start();
    deepEqual(await call("read", ["a", "b"]), {});
    await call("write", null);
    deepEqual(await call("read", ["a", "b", "absent"]), { a: values, b: 1 });
    await call("change", null);
    deepEqual(await call("read", ["a", "b", "c"]), { a: 0, c: 2 });
    await until(() => new Set(of(unique("out"))).size === 2, "what was published with the write");
    if (stage.runtime.bus.ordered) deepEqual(of(unique("out")), [1, 2]);
    await stage.restart();
    make();
    await stage.runtime.start();
    deepEqual(await call("read", ["a", "b", "c"]), { a: 0, c: 2 });
  });

  check("a write that cannot be made writes nothing", async (stage) => {
    host(stage.runtime, (context) => ({
      methods: {
        write: () => context.commit({ put: { good: 1, bad: 1n }, publish: [] }),
        read: async () => (await context.load(["good", "bad"])).size,
      },
    }));
    await stage.runtime.start();
    await rejects(stage.runtime.actors.call(stage.agent("none"), "write", null));
    equal(await stage.runtime.actors.call(stage.agent("none"), "read", null), 0);
  });

  check("after a rejected call the actor is loaded again, with what was written", async (stage) => {
    const contexts: ActorContext[] = [];
    counters(stage, contexts);
    await stage.runtime.start();
    const id = stage.agent("drop");
    const call = (method: string, data: unknown) => stage.runtime.actors.call(id, method, data);
    await call("add", 1);
    await rejects(call("forget", 2), "the error of the call");
    deepEqual(await call("list", null), [1], "what was not written is gone");
    await rejects(call("fail", 3));
    deepEqual(await call("list", null), [1, 3], "what was written is there");
    equal(contexts.length, 3);
  });

  check("calls that wait behind a rejected one run on the actor loaded again", async (stage) => {
    counters(stage);
    await stage.runtime.start();
    const id = stage.agent("behind");
    const calls = [
      ["add", 1],
      ["forget", 2],
      ["add", 3],
      ["list", null],
    ] as const;
    const settled = await Promise.allSettled(calls.map(([method, n]) => stage.runtime.actors.call(id, method, n)));
    equal(settled.filter((each) => each.status === "rejected").length, 1);
    const list = (await stage.runtime.actors.call(id, "list", null)) as number[];
    deepEqual(stage.runtime.bus.ordered ? list : list.toSorted((a, b) => a - b), [1, 3]);
  });

  check("the caller gets the call's own error", async (stage) => {
    counters(stage);
    await stage.runtime.start();
    await rejects(stage.runtime.actors.call(stage.agent("error"), "forget", 1), TerminalError);
  });

  check("an actor that was dropped can write no more", async (stage) => {
    const contexts: ActorContext[] = [];
    counters(stage, contexts);
    await stage.runtime.start();
    const id = stage.agent("stale");
    await stage.runtime.actors.call(id, "add", 1);
    await rejects(stage.runtime.actors.call(id, "forget", 2));
    await rejects(async () => contexts[0]?.commit({ put: { list: [99] } }));
    deepEqual(await stage.runtime.actors.call(id, "list", null), [1]);
  });

  check("an activation that fails rejects the call, and the next call tries again", async (stage) => {
    let tries = 0;
    stage.runtime.actors.register(async () => {
      if ((tries += 1) === 1) throw new TerminalError("not yet");
      return { call: async () => "here", remind: async () => undefined };
    });
    await stage.runtime.start();
    await rejects(stage.runtime.actors.call(stage.agent("activate"), "any", null), TerminalError);
    equal(await stage.runtime.actors.call(stage.agent("activate"), "any", null), "here");
  });
}
