/** What the host of tasks keeps, on the ports of each runtime: `taskContract({ name, make, slowness })`. */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { InputError, TerminalError } from "../../src/errors.ts";
import type { Runtime } from "../../src/ports.ts";
import { createTaskHost, type HostedTasks, type TaskHost } from "../../src/task-host.ts";
import { isSettled } from "../../src/tasks.ts";
import { clock, quietLog } from "../integration/embedded-fixture.ts";
import { agentOf, textOf, type Execute } from "../services/a2a.ts";
import { childrenChecks } from "./task-children.ts";
import { ann, bob, done, never, said, type CheckOptions, type Stage } from "./task-stage.ts";

export interface TaskContract {
  readonly name: string;
  /** Not started. */
  make(): Promise<{ readonly runtime: Runtime; restart(): Promise<Runtime>; cleanup(): Promise<void> }>;
  readonly slowness?: number;
}

/** The records of a process: nothing of what it does arrives there any more once its life is over. */
function mortal({ records }: Runtime, life: { readonly isOver: boolean }) {
  const whileAlive =
    <Given extends readonly unknown[], Result>(work: (...given: Given) => Promise<Result>) =>
    (...given: Given): Promise<Result> =>
      life.isOver ? never : work(...given);
  const { get, put, remove } = records;
  return { records: { get: whileAlive(get), put: whileAlive(put), remove: whileAlive(remove) } };
}

export function taskContract({ name, make, slowness = 1 }: TaskContract): void {
  const patience = 20_000 * slowness;
  // A name of its own for each: jobs and records of a broker outlive a test.
  function check(
    title: string,
    execute: Execute,
    body: (stage: Stage) => Promise<void>,
    { shared, over, ...more }: CheckOptions = {},
  ) {
    test(`${title}`, { timeout: patience * 3 }, async () => {
      const subject = await make();
      const agent = `tester-${randomUUID().slice(0, 8)}`;
      const hosts: TaskHost[] = [];
      let life = { isOver: false };
      const open = (run: Execute, whole = subject.runtime): HostedTasks => {
        const actors = shared === true ? { exclusive: false } : whole.actors;
        const runtime = { ...mortal(whole, life), actors, jobs: whole.jobs, blobs: whole.blobs };
        const options = { runtime, clock, log: quietLog, instance: randomUUID(), watchMs: 500, ...more };
        const host = createTaskHost(options);
        hosts.push(host);
        runtime.jobs.handle(async (job, data) => void (await hosts.at(-1)?.run(job, data)));
        return host.add({ ...agentOf(run, agent), ...(over && { ended: over }) });
      };
      try {
        const tasks = open(execute);
        await subject.runtime.start();
        await body({
          agent,
          tasks,
          open,
          async restart(run) {
            life.isOver = true;
            life = { isOver: false };
            const runtime = await subject.restart();
            const next = open(run, runtime);
            await runtime.start();
            return next;
          },
          async ended(of, id, ms = patience) {
            for (let waited = 0; waited < ms; waited += 20) {
              const task = await of.get(ann, id);
              if (task !== undefined && isSettled(task)) return task;
              await sleep(20);
            }
            throw new Error("the task did not end");
          },
        });
      } finally {
        for (const host of hosts) await host.drain(0);
        await subject.cleanup();
      }
    });
  }

  describe(`tasks on ${name}`, () => {
    childrenChecks(check, patience);

    check(
      "are run at once and end with what was made",
      async (run) => done(textOf(run)),
      async ({ tasks, ended }) => {
        const before = performance.now();
        const { id } = await tasks.send(ann, said("hello"));
        const task = await ended(tasks, id);
        expect(performance.now() - before).toBeLessThan(2_000 * slowness);
        expect(task).toMatchObject({ state: "completed", artifacts: [{ id: "result", parts: [{ text: "hello" }] }] });
      },
    );

    let ran = 0;
    check(
      "are one for one message, however often it comes and at once",
      async (run) => {
        ran += 1;
        await sleep(50);
        return done(textOf(run));
      },
      async ({ tasks, ended }) => {
        ran = 0;
        const told = said("once");
        const all = await Promise.all(Array.from({ length: 8 }, () => tasks.send(ann, told)));
        expect(new Set(all.map(({ id }) => id)).size).toBe(1);
        await ended(tasks, all[0]?.id ?? "");
        expect((await tasks.send(ann, told)).state).toBe("completed");
        expect(ran).toBe(1);
        expect((await tasks.send(bob, told)).id).not.toBe(all[0]?.id);
      },
    );

    check(
      "of one caller are not there for another",
      async (run) => done(textOf(run)),
      async ({ tasks, ended }) => {
        const { id } = await tasks.send(ann, said("mine"));
        await ended(tasks, id);
        const signal = AbortSignal.timeout(5_000);
        expect(await tasks.get(bob, id)).toBeUndefined();
        expect(await tasks.get({ tenant: "other", id: "ann" }, id)).toBeUndefined();
        expect(await tasks.cancel(bob, id)).toBeUndefined();
        expect(await tasks.watch(bob, id, { signal, mostMs: 1_000 })).toBeUndefined();
        expect(await tasks.pushes(bob, id)).toBeUndefined();
        expect((await tasks.list(bob, { limit: 10 })).tasks).toEqual([]);
        await expect(tasks.send(bob, said("more", { task: id }))).rejects.toMatchObject({ status: 404 });
      },
    );

    let stubborn = Promise.withResolvers<void>();
    let heeded = 0;
    const worksOn: Execute = async (run, hooks) => {
      if (textOf(run) !== "long")
        return textOf(run) === "ask" ? { kind: "input-required", question: "Which?" } : done("x");
      hooks.signal.addEventListener("abort", () => (heeded += 1));
      await hooks.artifact("begun", [{ kind: "text", text: "begun" }]);
      stubborn.resolve();
      await new Promise((_resolve, reject) =>
        hooks.signal.addEventListener("abort", () => reject(hooks.signal.reason)),
      );
      return done("never");
    };
    for (const shared of [false, true])
      check(
        `are erased for their caller alone, what runs ${shared ? "in another process " : ""}is cancelled first`,
        worksOn,
        async ({ tasks, open, ended }) => {
          heeded = 0;
          stubborn = Promise.withResolvers();
          const other = shared ? open(worksOn) : tasks;
          const long = await tasks.send(ann, said("long"), { id: "h", url: "http://127.0.0.1:9/", wire: "1.0" });
          const asks = await tasks.send(ann, said("ask"));
          const over = await tasks.send(ann, said("over"));
          const bobs = await tasks.send(bob, said("over"));
          for (const { id } of [asks, over]) await ended(tasks, id);
          await stubborn.promise;
          await other.erase(ann, over.id);
          expect(await tasks.get(ann, over.id)).toBeUndefined();
          expect((await tasks.list(ann, { limit: 10 })).total).toBe(2);
          await other.erase(bob, long.id);
          expect(await tasks.get(ann, long.id)).toMatchObject({ state: "working" });
          await other.erase(ann);
          expect(heeded).toBe(1);
          expect((await tasks.list(ann, { limit: 10 })).total).toBe(0);
          for (const { id } of [long, asks, over]) expect(await tasks.get(ann, id)).toBeUndefined();
          expect(await tasks.pushes(ann, long.id)).toBeUndefined();
          expect(await tasks.get(bob, bobs.id)).toMatchObject({ id: bobs.id });
          // What comes late is written nowhere, and the next task is one like any other.
          await sleep(600);
          expect(await tasks.get(ann, long.id)).toBeUndefined();
          await other.erase(ann);
          expect(await ended(tasks, (await tasks.send(ann, said("over"))).id)).toMatchObject({ state: "completed" });
        },
        { sender: { refusal: async () => undefined, send: async () => undefined }, ...(shared && { shared: true }) },
      );

    check(
      "are listed, the one that changed last first, in pages",
      async (run) => done(textOf(run)),
      async (stage) => {
        const { tasks, ended } = stage;
        const ids: string[] = [];
        for (const n of [1, 2, 3, 4, 5]) {
          const { id } = await tasks.send(ann, said(`n${n}`, { context: n > 3 ? "late" : "early" }));
          ids.unshift((await ended(tasks, id)).id);
        }
        const first = await tasks.list(ann, { limit: 2 });
        const rest = await tasks.list(ann, { limit: 10, after: first.next });
        expect([...first.tasks, ...rest.tasks].map(({ id }) => id)).toEqual(ids);
        expect([first.total, rest.next]).toEqual([5, undefined]);
        expect((await tasks.list(ann, { limit: 10, context: "late" })).tasks).toHaveLength(2);
        expect((await tasks.list(ann, { limit: 10, state: "working" })).tasks).toHaveLength(0);
        await expect(tasks.list(ann, { limit: 10, after: "no page" })).rejects.toThrow(InputError);
      },
    );

    const because: string[] = [];
    check(
      "wait until their time and go on within two seconds of it, with what they left",
      async (run) => {
        because.push(run.because);
        if (run.because === "said")
          return { kind: "waiting", until: Date.now() + 1_500, said: "Later.", state: { n: 7 } };
        return done(`state ${JSON.stringify(run.state)}`);
      },
      async ({ tasks, ended }) => {
        because.length = 0;
        const { id } = await tasks.send(ann, said("wait"));
        await expect.poll(async () => (await tasks.get(ann, id))?.said?.parts, { timeout: 5_000 }).toBeDefined();
        const dueAt = (await tasks.get(ann, id))?.dueAt ?? 0;
        const task = await ended(tasks, id);
        expect(task.changedAt - dueAt).toBeGreaterThanOrEqual(-50);
        expect(task.changedAt - dueAt).toBeLessThan(2_000);
        expect(task.artifacts[0]?.parts).toEqual([{ kind: "text", text: 'state {"n":7}' }]);
        expect(because).toEqual(["said", "due"]);
      },
    );

    check(
      "ask, and go on with the answer",
      async (run) =>
        run.messages.length === 1
          ? { kind: "input-required", question: "Which?" }
          : done(`${textOf(run)} of ${run.messages.length}`),
      async ({ tasks, ended }) => {
        const { id, context } = await tasks.send(ann, said("do"));
        expect((await ended(tasks, id)).said?.parts).toEqual([{ kind: "text", text: "Which?" }]);
        await expect(tasks.send(ann, said("x", { task: id, context: "another" }))).rejects.toThrow("another context");
        await tasks.send(ann, said("this", { task: id, context }));
        await expect.poll(async () => (await tasks.get(ann, id))?.state, { timeout: patience }).toBe("completed");
        expect((await tasks.get(ann, id))?.artifacts[0]?.parts).toEqual([{ kind: "text", text: "this of 3" }]);
        await expect(tasks.send(ann, said("more", { task: id }))).rejects.toMatchObject({ status: 409 });
      },
    );

    let aborted: unknown;
    check(
      "are cancelled while they run, and never end otherwise",
      async (_run, hooks) => {
        hooks.signal.addEventListener("abort", () => (aborted = hooks.signal.reason));
        return never;
      },
      async ({ tasks }) => {
        aborted = undefined;
        const { id } = await tasks.send(ann, said("long"));
        await expect.poll(async () => (await tasks.get(ann, id))?.state, { timeout: patience }).toBe("working");
        expect((await tasks.cancel(ann, id))?.state).toBe("canceled");
        await expect.poll(() => aborted, { timeout: patience }).toBeInstanceOf(Error);
        await expect(tasks.cancel(ann, id)).rejects.toMatchObject({ status: 409 });
      },
    );

    const runs: string[] = [];
    check(
      "take what is said meanwhile: the run is made again, and its outcome is of all that was said",
      async (run, hooks) => {
        runs.push(textOf(run));
        if (textOf(run) === "first") await new Promise((_, reject) => hooks.signal.addEventListener("abort", reject));
        return done(textOf(run));
      },
      async ({ tasks, ended }) => {
        runs.length = 0;
        const { id } = await tasks.send(ann, said("first"));
        await expect.poll(() => runs.length, { timeout: patience }).toBe(1);
        await tasks.send(ann, said("second", { task: id }));
        expect((await ended(tasks, id)).artifacts[0]?.parts).toEqual([{ kind: "text", text: "second" }]);
        expect(runs).toEqual(["first", "second"]);
      },
    );

    let failures = 0;
    check(
      "that fail are tried again, and the reason of it is told to nobody",
      async () => {
        failures += 1;
        if (failures < 3) throw new Error("CANARY");
        return done("at last");
      },
      async ({ tasks, ended }) => {
        failures = 0;
        const { id } = await tasks.send(ann, said("try"));
        const task = await ended(tasks, id);
        expect([task.state, failures]).toEqual(["completed", 3]);
        expect(JSON.stringify(task)).not.toContain("CANARY");
      },
    );

    check(
      "that cannot be done fail at once; the words of an input error are the caller's",
      async (run) => {
        throw textOf(run) === "input" ? new InputError("Say a number.") : new TerminalError("CANARY");
      },
      async ({ tasks, ended }) => {
        const [one, two] = await Promise.all(["input", "terminal"].map((text) => tasks.send(ann, said(text))));
        expect(await ended(tasks, one?.id ?? "")).toMatchObject({
          state: "failed",
          said: { parts: [{ text: "Say a number." }] },
        });
        const other = await ended(tasks, two?.id ?? "");
        expect(other.state).toBe("failed");
        expect(JSON.stringify(other)).not.toContain("CANARY");
      },
    );

    check(
      "whose process died are run again, with what was saved and made",
      async (_run, hooks) => {
        await hooks.save({ step: 1 });
        await hooks.artifact("part", [{ kind: "text", text: "one" }]);
        return never;
      },
      async ({ tasks, restart, ended }) => {
        const { id } = await tasks.send(ann, said("long"));
        await expect.poll(async () => (await tasks.get(ann, id))?.artifacts.length, { timeout: patience }).toBe(1);
        const seen: unknown[] = [];
        const next = await restart(async (run, hooks) => {
          seen.push([run.because, run.state]);
          await hooks.artifact("part", [{ kind: "text", text: "another" }]);
          return done("after all");
        });
        const task = await ended(next, id);
        expect(task.artifacts.map(({ parts }) => parts)).toEqual([
          [{ kind: "text", text: "one" }],
          [{ kind: "text", text: "after all" }],
        ]);
        expect(seen).toEqual([["died", { step: 1 }]]);
      },
    );

    check(
      "are bounded: messages, states and artifacts, and those of one caller",
      async (run, hooks) => {
        if (textOf(run) === "state") await hooks.save("x".repeat(70_000));
        if (textOf(run) === "artifact") await hooks.artifact("big", [{ kind: "text", text: "x".repeat(9_000) }]);
        if (textOf(run) === "result") return done("x".repeat(9_000));
        return { kind: "waiting", until: Date.now() + 3_600_000 };
      },
      async ({ tasks, ended }) => {
        await expect(tasks.send(ann, said("x".repeat(5_000)))).rejects.toMatchObject({ status: 413 });
        for (const text of ["state", "artifact", "result"]) {
          const { id } = await tasks.send(ann, said(text));
          const task = await ended(tasks, id);
          expect([task.state, JSON.stringify(task.said)]).toEqual(["failed", expect.stringContaining("at most")]);
        }
        // The ended ones make room.
        for (let n = 0; n < 10; n++) await tasks.send(ann, said("open"));
        await expect(tasks.send(ann, said("one more"))).rejects.toMatchObject({ status: 429 });
        expect((await tasks.list(ann, { limit: 100 })).tasks).toHaveLength(10);
      },
      { limits: { messageBytes: 4_000, artifactBytes: 8_000, tasks: 10 } },
    );

    let atOnce = 0;
    let most = 0;
    const replica: Execute = async (run, hooks) => {
      most = Math.max(most, ++atOnce);
      try {
        if (textOf(run) === "first") await new Promise((_, reject) => hooks.signal.addEventListener("abort", reject));
        await sleep(200);
        return done(textOf(run));
      } finally {
        atOnce -= 1;
      }
    };
    check(
      "are run by one replica at a time: what is said at, or cancelled by, another one reaches the one that runs",
      replica,
      async ({ tasks, open, ended }) => {
        most = 0;
        const other = open(replica);
        const { id } = await tasks.send(ann, said("first"));
        await expect.poll(() => atOnce, { timeout: patience }).toBe(1);
        await Promise.all([
          other.send(ann, said("second", { task: id })),
          other.send(ann, said("third", { task: id })),
        ]);
        const task = await ended(other, id);
        expect(JSON.stringify(task.artifacts)).toMatch(/second|third/);
        expect(most).toBe(1);
        const long = await tasks.send(ann, said("first"));
        await expect.poll(() => atOnce, { timeout: patience }).toBe(1);
        expect((await other.cancel(ann, long.id))?.state).toBe("canceled");
        await expect.poll(() => atOnce, { timeout: patience }).toBe(0);
        expect((await tasks.get(ann, long.id))?.state).toBe("canceled");
      },
      { shared: true },
    );

    check(
      "know of their caller's other ones that are open, and end them with nothing to tell",
      async (run, { others, end }) => {
        const [verb, id = ""] = textOf(run).split(" ");
        if (verb === "wait") return { kind: "waiting", until: Date.now() + 3_600_000, said: "later", state: { n: id } };
        if (verb === "ask") return { kind: "input-required", question: "What?", state: { n: id } };
        if (verb === "end") await end(id);
        return done(JSON.stringify((await others()).map(({ task, state }) => [task, state])));
      },
      async ({ tasks, ended }) => {
        const waits = await tasks.send(ann, said("wait 1"));
        const asks = await tasks.send(ann, said("ask 2"));
        const foreign = await tasks.send(bob, said("wait 3"));
        await ended(tasks, asks.id);
        const seen = async (text: string) => {
          const { id } = await tasks.send(ann, said(text));
          const [part] = (await ended(tasks, id)).artifacts.flatMap(({ parts }) => parts);
          return part?.kind === "text" ? (JSON.parse(part.text) as unknown) : undefined;
        };
        expect(await seen("look")).toEqual([
          [asks.id, { n: "2" }],
          [waits.id, { n: "1" }],
        ]);
        expect(await seen(`end ${waits.id}`)).toEqual([[asks.id, { n: "2" }]]);
        expect(await seen(`end ${foreign.id}`)).toEqual([[asks.id, { n: "2" }]]);
        expect(await seen("end nothing")).toEqual([[asks.id, { n: "2" }]]);
        const gone = await tasks.get(ann, waits.id);
        expect(gone).toMatchObject({ state: "completed", artifacts: [] });
        expect(gone?.dueAt).toBeUndefined();
        expect((await tasks.get(bob, foreign.id))?.state).toBe("working");
      },
    );

    check(
      "are told to who watches as they change, until they are settled",
      async (_run, hooks) => {
        hooks.progress("looking");
        await hooks.artifact("a", [{ kind: "text", text: "1" }]);
        await sleep(1_000);
        return done("2");
      },
      async ({ tasks }) => {
        const { id } = await tasks.send(ann, said("go"));
        const events = await tasks.watch(ann, id, { signal: AbortSignal.timeout(patience), mostMs: patience });
        const states: string[] = [];
        for await (const { task } of events ?? []) states.push(`${task.state} ${task.artifacts.length}`);
        expect(states.at(-1)).toBe("completed 2");
        expect(states).toContain("working 1");
      },
    );

    check(
      "are told with what their agent does, also to who begins to watch after it said so",
      async (_run, hooks) => {
        hooks.progress("looking");
        await hooks.artifact("a", [{ kind: "text", text: "1" }]);
        await sleep(3_000);
        return done("2");
      },
      async ({ tasks }) => {
        const { id } = await tasks.send(ann, said("go"));
        await expect.poll(async () => (await tasks.get(ann, id))?.artifacts.length, { timeout: patience }).toBe(1);
        const events = await tasks.watch(ann, id, { signal: AbortSignal.timeout(patience), mostMs: patience });
        const heard: (string | undefined)[] = [];
        for await (const { progress } of events ?? []) heard.push(progress);
        expect(heard).toContain("looking");
        const over = await tasks.watch(ann, id, { signal: AbortSignal.timeout(patience), mostMs: patience });
        for await (const event of over ?? []) expect(event).not.toHaveProperty("progress");
      },
    );
  });
}
