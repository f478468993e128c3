import { deepEqual, equal, ok } from "node:assert/strict";
import type { Program, Runtime, WorkflowEvent, Workflows } from "../../src/ports.ts";
import type { Check, Stage } from "./runtime-stage.ts";

interface State {
  readonly seen: readonly string[];
}

/**
 * Two effects at once, a timer, and signals: what it was told, in its order. It ends with the signal "end", and asks for one more effect
 * with "more".
 */
function program(run: Program["run"] = async ({ key }) => key.toUpperCase()): Program {
  const told = (event: WorkflowEvent): string => {
    if (event.kind === "result") return `result ${event.key} ${String(event.result)}`;
    return event.kind === "timer" ? `timer ${event.key}` : `signal ${String(event.data)}`;
  };
  return {
    name: "contract-v1",
    begin: (input, now) => ({
      state: { seen: [`begun ${String(input)}`] },
      effects: ["a", "b"].map((key) => ({ key, data: { of: input } })),
      timers: [{ key: "soon", at: now + 1_500 }],
    }),
    next(state, event) {
      const seen = [...(state as State).seen, told(event)];
      const more = event.kind === "signal" && event.data === "more" ? { effects: [{ key: "c", data: null }] } : {};
      return { state: { seen }, ...more, done: event.kind === "signal" && event.data === "end" };
    },
    run,
  };
}

function flowsOf({ workflows }: Runtime): Workflows {
  ok(workflows);
  return workflows;
}

export function workflowContract(check: Check): void {
  const seenOf = async (runtime: Runtime, id: string) =>
    ((await flowsOf(runtime).find(id))?.state as State | undefined)?.seen ?? [];
  const sees = (stage: Stage, id: string, what: string) =>
    stage.until(async () => (await seenOf(stage.runtime, id)).includes(what), what);
  const begin = async (stage: Stage, run?: Program["run"]) => {
    const id = stage.unique("flow");
    flowsOf(stage.runtime).define(program(run));
    await stage.runtime.start();
    await flowsOf(stage.runtime).begin(id, "x");
    return id;
  };

  check("a workflow's effects are done, and it is told of them, of time and of signals", async (stage) => {
    const asked: unknown[] = [];
    const id = await begin(stage, async ({ workflow, key, data }) => {
      asked.push([workflow === id, key, data]);
      return key.toUpperCase();
    });
    const workflows = flowsOf(stage.runtime);
    await sees(stage, id, "timer soon");
    ok(await workflows.signal(id, "more"));
    await sees(stage, id, "result c C");
    const seen = await seenOf(stage.runtime, id);
    equal(seen[0], "begun x");
    deepEqual(seen.toSorted(), ["begun x", "result a A", "result b B", "result c C", "signal more", "timer soon"]);
    deepEqual(new Set((asked as string[][]).map(([, key]) => key)), new Set(["a", "b", "c"]));
    ok((asked as unknown[][]).every(([own]) => own));
    equal((await workflows.find(id))?.status, "running");
  });

  check("one that is begun again is the same; one that has ended takes nothing more", async (stage) => {
    const id = await begin(stage);
    const workflows = flowsOf(stage.runtime);
    await sees(stage, id, "result b B");
    await workflows.begin(id, "y");
    ok(await workflows.signal(id, "end"));
    await stage.until(async () => (await workflows.find(id))?.status === "ended", "its end");
    equal(await workflows.signal(id, "more"), false);
    equal(await workflows.pause(id), false);
    await workflows.begin(id, "z");
    equal((await workflows.find(id))?.status, "ended");
    equal((await seenOf(stage.runtime, id))[0], "begun x");
    equal(await workflows.signal(stage.unique("none"), "more"), false);
    equal(await workflows.find(stage.unique("none")), undefined);
  });

  check("one that is paused is told nothing; when it goes on it is told all of it", async (stage) => {
    const id = await begin(stage);
    const workflows = flowsOf(stage.runtime);
    await sees(stage, id, "result b B");
    ok(await workflows.pause(id));
    ok(await workflows.pause(id));
    equal((await workflows.find(id))?.status, "paused");
    const before = await seenOf(stage.runtime, id);
    ok(await workflows.signal(id, "first"));
    ok(await workflows.signal(id, "second"));
    await stage.quiet(2_000);
    deepEqual(await seenOf(stage.runtime, id), before);
    ok(await workflows.resume(id));
    await sees(stage, id, "signal second");
    await sees(stage, id, "timer soon");
    equal((await workflows.find(id))?.status, "running");
    const seen = await seenOf(stage.runtime, id);
    ok(seen.indexOf("signal first") < seen.indexOf("signal second"), seen.join());
  });

  check("an effect that fails is done again, and holds up nothing else", async (stage) => {
    let tries = 0;
    const id = await begin(stage, async ({ key }) => {
      if (key === "a" && ++tries < 3) throw new Error("not yet");
      return tries;
    });
    await sees(stage, id, "timer soon");
    await sees(stage, id, "result a 3");
    equal(tries, 3);
  });

  check("workflows survive a restart in the middle of an effect; those that are removed are gone", async (stage) => {
    const id = await begin(stage, () => new Promise(() => undefined));
    const other = stage.unique("other");
    await flowsOf(stage.runtime).begin(other, "x");
    ok(await flowsOf(stage.runtime).pause(other));
    await flowsOf(stage.runtime).remove(other);
    await flowsOf(stage.runtime).remove(other);
    ok(await flowsOf(stage.runtime).signal(id, "early"));
    const next = await stage.restart();
    flowsOf(next).define(program());
    await next.start();
    for (const what of ["result a A", "result b B", "signal early", "timer soon"]) await sees(stage, id, what);
    equal(await flowsOf(next).find(other), undefined);
    equal(await flowsOf(next).signal(other, "more"), false);
  });
}
