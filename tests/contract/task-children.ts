/** What the host of tasks keeps of tasks that others work on parts of. */
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import type { Execute } from "../services/a2a.ts";
import { textOf } from "../services/a2a.ts";
import { ann, bob, done, never, said, type Check } from "./task-stage.ts";

const text = (words: string) => [{ kind: "text" as const, text: words }];
const forMs = 120_000;

/** Each is asked "<word> <word> …": one child for each word, and their answers joined. */
function joining(child: Execute): Execute {
  return async (run, hooks) => {
    if (run.isChild) return child(run, hooks);
    const ends = await Promise.all(
      textOf(run)
        .split(" ")
        .map((word, at) =>
          hooks.child(`${at}`, { parts: text(word), forMs, progress: (words) => hooks.progress(`${word}: ${words}`) }),
        ),
    );
    const words = ends.map((end) => (end.kind === "completed" ? JSON.stringify(end.parts) : end.reason));
    return done(words.join("; "));
  };
}

export function childrenChecks(check: Check, patience: number): void {
  const seen: { readonly word: string; readonly chain: unknown; readonly context: string }[] = [];
  let now = 0;
  let most = 0;
  check(
    "have children for their parts: side by side, each with a context of its own, heard while they work, and nobody's tasks else",
    joining(async (run, hooks) => {
      most = Math.max(most, ++now);
      const { chain, context, messages } = run;
      seen.push({ word: messages.map((message) => textOf({ messages: [message] })).join(), chain, context });
      for (let n = 0; n < 10; n++) {
        hooks.progress("at it");
        await sleep(100);
      }
      now -= 1;
      return done(`${textOf(run)}!`);
    }),
    async ({ tasks, ended, agent }) => {
      const { id, context } = await tasks.send(ann, { ...said("a b c"), chain: ["elsewhere"] });
      const progress: string[] = [];
      const events = await tasks.watch(ann, id, { signal: AbortSignal.timeout(patience), mostMs: patience });
      for await (const event of events ?? []) if (event.progress !== undefined) progress.push(event.progress);
      const task = await ended(tasks, id);
      expect(JSON.stringify(task.artifacts)).toMatch(/a!.*b!.*c!/);
      expect(seen.map(({ word }) => word).toSorted()).toEqual(["a", "b", "c"]);
      expect(seen.map(({ chain }) => chain)).toEqual(Array.from({ length: 3 }, () => ["elsewhere", agent]));
      expect(new Set([context, ...seen.map((one) => one.context)]).size).toBe(4);
      expect(most).toBe(3);
      expect(progress.some((words) => /^[abc]: at it$/.test(words))).toBe(true);
      expect((await tasks.list(ann, { limit: 10 })).tasks.map((one) => one.id)).toEqual([id]);
    },
  );

  check(
    "whose one place is taken by who waits have their children run all the same",
    joining(async (run) => done(`${textOf(run)}!`)),
    async ({ tasks, ended }) => {
      const all = await Promise.all([tasks.send(ann, said("a b")), tasks.send(bob, said("c"))]);
      expect(JSON.stringify((await ended(tasks, all[0]?.id ?? "")).artifacts)).toMatch(/a!.*b!/);
    },
    { mostRuns: 1 },
  );

  const works = new Map<string, number>();
  const counted: Execute = joining(async (run) => {
    works.set(textOf(run), (works.get(textOf(run)) ?? 0) + 1);
    await sleep(textOf(run) === "slow" ? 1_500 : 100);
    return done(`${textOf(run)}!`);
  });
  check(
    "whose process died come back to their children: what those have done is not done again",
    counted,
    async ({ tasks, restart, ended }) => {
      works.clear();
      const { id } = await tasks.send(ann, said("quick slow"));
      await expect.poll(() => works.size, { timeout: patience }).toBe(2);
      await sleep(1_000);
      const next = await restart(counted);
      expect(JSON.stringify((await ended(next, id)).artifacts)).toMatch(/quick!.*slow!/);
      expect(works.get("quick")).toBe(1);
      expect(works.get("slow")).toBe(2);
    },
  );

  let aborted = 0;
  const holding: Execute = joining(
    (_run, { signal }) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => {
          aborted += 1;
          reject(signal.reason as Error);
        });
      }),
  );
  check("take their children with them when they are cancelled", holding, async ({ tasks }) => {
    aborted = 0;
    const { id } = await tasks.send(ann, said("a b c"));
    await sleep(500);
    expect((await tasks.cancel(ann, id))?.state).toBe("canceled");
    await expect.poll(() => aborted, { timeout: patience }).toBe(3);
  });

  check(
    "that are cancelled at another replica take their children with them at this one",
    holding,
    async ({ tasks, open }) => {
      aborted = 0;
      const other = open(holding);
      const { id } = await tasks.send(ann, said("a b"));
      await sleep(1_000);
      await other.cancel(ann, id);
      await expect.poll(() => aborted, { timeout: patience }).toBe(2);
    },
    { shared: true },
  );

  let left = 0;
  const leaving: Execute = async (run, hooks) => {
    if (run.isChild) {
      await new Promise((resolve) => hooks.signal.addEventListener("abort", resolve));
      left += 1;
      return never;
    }
    if (textOf(run) === "late") {
      const end = await hooks.child("1", { parts: text("part"), forMs: 500 });
      return done(end.kind === "failed" ? end.reason : "");
    }
    hooks.child("1", { parts: text("part"), forMs }).catch(() => undefined);
    await sleep(500);
    return done("without waiting");
  };
  check("that end, or wait no longer, have no child that goes on", leaving, async ({ tasks, ended }) => {
    left = 0;
    for (const [words, result] of [
      ["late", "it was not done in its time"],
      ["now", "without waiting"],
    ] as const) {
      const { id } = await tasks.send(ann, said(words));
      expect(JSON.stringify((await ended(tasks, id)).artifacts)).toContain(result);
    }
    await expect.poll(() => left, { timeout: patience }).toBe(2);
  });

  check(
    "have children within bounds: so many, without any of their own, and no further than messages may come",
    async (run, hooks) => {
      if (run.isChild) await hooks.child("1", { parts: text("part"), forMs });
      const words = textOf(run).split(" ");
      for (const key of words) await hooks.child(key, { parts: text("part"), forMs });
      return done("");
    },
    async ({ tasks, ended }) => {
      const wrong = async (words: string, chain?: readonly string[]) => {
        const { id } = await tasks.send(ann, { ...said(words), ...(chain && { chain }) });
        return JSON.stringify((await ended(tasks, id)).said);
      };
      expect(await wrong("a b c")).toContain("2 parts at most");
      expect(
        await wrong(
          "a",
          Array.from({ length: 7 }, (_, n) => `agent-${n}`),
        ),
      ).toContain("8 at most");
    },
    { limits: { children: 2 } },
  );

  const parts: string[] = [];
  check(
    "that are erased leave nothing of their children",
    joining(async (run, { signal }) => {
      parts.push(run.task);
      if (textOf(run) === "hold") await new Promise((resolve) => signal.addEventListener("abort", resolve));
      return done("");
    }),
    async ({ tasks, ended }) => {
      const { id } = await tasks.send(ann, said("a b"));
      await ended(tasks, id);
      const holds = await tasks.send(ann, said("hold"));
      await expect.poll(() => parts.length, { timeout: patience }).toBe(3);
      for (const one of [id, holds.id]) await tasks.erase(ann, one);
      expect(await Promise.all(parts.map((part) => tasks.get(ann, part)))).toEqual(parts.map(() => undefined));
    },
  );

  const over: string[] = [];
  check(
    "tell their agent when they have ended, however they do",
    async (run) => (textOf(run) === "ask" ? { kind: "input-required", question: "What?" } : done("")),
    async ({ tasks, ended }) => {
      over.length = 0;
      const asks = await tasks.send(ann, said("ask"));
      await ended(tasks, asks.id);
      const { id } = await tasks.send(ann, said("go"));
      await expect.poll(() => over, { timeout: patience }).toEqual([id]);
      await tasks.cancel(ann, asks.id);
      await expect.poll(() => over, { timeout: patience }).toEqual([id, asks.id]);
    },
    { over: async ({ task }) => void over.push(task) },
  );
}
