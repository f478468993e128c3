import { deepEqual, equal, ok } from "node:assert/strict";
import type { Check, Stage } from "./runtime-stage.ts";

function handled(stage: Stage, handle: (name: string) => Promise<void> = async () => undefined) {
  const runs: { readonly name: string; readonly data: unknown; readonly at: number }[] = [];
  stage.runtime.jobs.handle(async (name, data) => {
    runs.push({ name, data, at: Date.now() });
    await handle(name);
  });
  return { runs, of: (label: string) => runs.filter((run) => run.name === stage.unique(label)) };
}

export function jobContract(check: Check): void {
  check("a job runs once at its time, with its data", async (stage) => {
    const { of } = handled(stage);
    await stage.runtime.start();
    const dueAt = Date.now() + 1000;
    await stage.runtime.jobs.schedule(stage.unique("later"), { dueAt }, { list: [1, null] });
    await stage.runtime.jobs.schedule(stage.unique("past"), { dueAt: Date.now() - 5000 }, 0);
    await stage.until(() => of("past").length > 0, "the one whose time is past");
    await stage.until(() => of("later").length > 0, "the one in a second");
    ok((of("later")[0]?.at ?? 0) >= dueAt - 20, "not before its time");
    deepEqual(of("later")[0]?.data, { list: [1, null] });
    await stage.quiet(500);
    // At least once: a scheduler that was not heard in time asks again.
    for (const label of ["later", "past"]) ok(of(label).length <= (stage.runtime.actors.exclusive ? 1 : 2), label);
  });

  check("a periodic job runs again and again, until it is cancelled", async (stage) => {
    const { of } = handled(stage);
    await stage.runtime.start();
    await stage.runtime.jobs.schedule(stage.unique("tick"), { everyMs: 1000 }, null);
    await stage.until(() => of("tick").length >= 2, "two runs");
    await stage.runtime.jobs.cancel(stage.unique("tick"));
    await stage.runtime.jobs.cancel(stage.unique("none"));
    const count = of("tick").length;
    await stage.quiet(1500);
    equal(of("tick").length, count);
  });

  check("scheduling a name again replaces it", async (stage) => {
    const { of } = handled(stage);
    await stage.runtime.start();
    await stage.runtime.jobs.schedule(stage.unique("job"), { dueAt: Date.now() + 1000 }, "old");
    await stage.runtime.jobs.schedule(stage.unique("job"), { dueAt: Date.now() + 1500 }, "new");
    await stage.runtime.jobs.schedule(stage.unique("put off"), { dueAt: Date.now() + 1000 }, 0);
    await stage.runtime.jobs.schedule(stage.unique("put off"), { dueAt: Date.now() + 600_000 }, 0);
    await stage.until(() => of("job").length > 0, "its run");
    await stage.quiet(500);
    deepEqual(
      of("job").map((run) => run.data),
      ["new"],
    );
    equal(of("put off").length, 0);
  });

  check("a job that schedules its own name again runs again", async (stage) => {
    const { of } = handled(stage, async (name) => {
      if (of("chain").length < 3) await stage.runtime.jobs.schedule(name, { dueAt: Date.now() + 100 }, null);
    });
    await stage.runtime.start();
    await stage.runtime.jobs.schedule(stage.unique("chain"), { dueAt: Date.now() }, null);
    await stage.until(() => of("chain").length === 3, "three runs");
  });

  check("a job that fails is tried again", async (stage) => {
    const { of } = handled(stage, async () => {
      if (of("fails").length < 3) throw new Error("not yet");
    });
    await stage.runtime.start();
    await stage.runtime.jobs.schedule(stage.unique("fails"), { dueAt: Date.now() }, "same");
    await stage.until(() => of("fails").length === 3, "the third run");
    ok(of("fails").every((run) => run.data === "same"));
    await stage.quiet(1500);
    equal(of("fails").length, 3, "none after it succeeded");
  });

  check("jobs survive a restart; one that was interrupted runs again", async (stage) => {
    const first = handled(stage, () => new Promise(() => undefined));
    await stage.runtime.start();
    await stage.runtime.jobs.schedule(stage.unique("interrupted"), { dueAt: Date.now() }, 1);
    await stage.runtime.jobs.schedule(stage.unique("waiting"), { dueAt: Date.now() + 1500 }, 2);
    await stage.runtime.jobs.schedule(stage.unique("periodic"), { everyMs: 1500 }, 3);
    await stage.until(() => first.of("interrupted").length > 0, "the first run");
    await stage.restart();
    const second = handled(stage);
    await stage.runtime.start();
    for (const label of ["interrupted", "waiting", "periodic"]) {
      await stage.until(() => second.of(label).length > 0, `the run of ${label}`);
    }
    equal(second.of("interrupted")[0]?.data, 1);
  });
}
