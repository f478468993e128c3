/**
 * Programs run in QuickJS, compiled to WebAssembly, in a thread of their own: the engine knows no network, no files and no clock to wait
 * for, its memory has a maximum that the engine cannot change, and the thread is ended from outside. Each program has a
 * thread, an engine and a context that nothing ran in before.
 */
import { Worker } from "node:worker_threads";
import { createBudget } from "../../src/budget.ts";
import { InfrastructureError, InputError, reasonOf } from "../../src/errors.ts";
import type { Clock, Log } from "../../src/ports.ts";
import type { Sandbox, SandboxOutcome, SandboxProgram } from "../../src/sandbox.ts";
import { formatOf } from "./formats.ts";
import type { Reply, Work } from "./worker.ts";

export interface SandboxLimits {
  /** From the program's start to its end. */
  readonly timeMs: number;
  readonly threads: number;
}

const pageBytes = 65_536;
const megabyte = 1_000_000;
const limits = {
  fileBytes: 8 * megabyte,
  /** Of the engine and the program together. */
  memoryPages: Math.floor((149 * megabyte) / pageBytes),
  /** Of the thread beside the engine: where files are read. */
  heapMb: 256,
  codeChars: 50_000,
  outputChars: megabyte,
  logChars: 8_000,
  startMs: 20_000,
  /** The engine ends a program by itself; what it cannot end is ended so much later, with its thread. */
  graceMs: 1_000,
} as const;

export function createSandbox(
  deps: { readonly clock: Clock; readonly log: Log },
  { timeMs = 10_000, threads = 2 }: Partial<SandboxLimits> = {},
): Sandbox {
  const inTurn = createBudget(threads);

  async function run(program: SandboxProgram, signal?: AbortSignal): Promise<SandboxOutcome> {
    signal?.throwIfAborted();
    if (program.code.length > limits.codeChars)
      return { kind: "failed", problem: `a program has at most ${limits.codeChars} characters`, log: "" };
    const { promise: aborted, reject } = Promise.withResolvers<never>();
    aborted.catch(() => undefined);
    const onAbort = () => reject(signal?.reason);
    signal?.addEventListener("abort", onAbort, { once: true });
    const work = inTurn(1, async () => {
      signal?.throwIfAborted();
      return runInThread(program, timeMs, aborted, deps);
    });
    work.catch(() => undefined);
    try {
      return await Promise.race([work, aborted]);
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
  }

  return { maxBytes: limits.fileBytes, reads: (of) => formatOf(of) !== undefined, run };
}

async function runInThread(
  program: SandboxProgram,
  timeMs: number,
  aborted: Promise<never>,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Promise<SandboxOutcome> {
  const { memoryPages, outputChars, logChars, heapMb } = limits;
  // A part of a larger buffer would take all of that along.
  const files = program.files.map((file) => ({ ...file, bytes: new Uint8Array(file.bytes) }));
  const workerData: Work = { program: { ...program, files }, timeMs, memoryPages, outputChars, logChars };
  const thread = new Worker(new URL("./worker.ts", import.meta.url), {
    workerData,
    resourceLimits: { maxOldGenerationSizeMb: heapMb, maxYoungGenerationSizeMb: 32, stackSizeMb: 8 },
    env: {},
    execArgv: ["--no-warnings"],
    stdout: true,
    stderr: true,
  });
  thread.stdout.resume();
  thread.stderr.resume();
  const { promise, resolve, reject } = Promise.withResolvers<SandboxOutcome>();
  const fail = (problem: string) => resolve({ kind: "failed", problem, log: "" });
  let stopTimer = clock.after(limits.startMs, () =>
    reject(new InfrastructureError("the thread of a program does not start")),
  );
  thread.on("message", (reply: Reply) => {
    if (reply.kind === "started") {
      stopTimer();
      stopTimer = clock.after(timeMs + limits.graceMs, () => fail(tooLong(timeMs)));
    } else if (reply.kind === "refused") reject(new InputError(reply.reason));
    else if (reply.kind === "failed") fail(reply.problem === "" ? tooMuch : reply.problem);
    else resolve(outcomeOf(reply.json, timeMs));
  });
  thread.once("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "ERR_WORKER_OUT_OF_MEMORY") return fail(tooMuch);
    log.warn({ reason: reasonOf(new Error(error.name)) }, "the thread of a program failed");
    reject(new InfrastructureError("the thread of a program failed", { cause: error }));
  });
  thread.once("exit", () => reject(new InfrastructureError("the thread of a program ended")));
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    stopTimer();
    await thread.terminate();
  }
}

const tooMuch = "it takes too much memory: work on fewer rows at once, or keep less";
const tooLong = (timeMs: number) => `it takes longer than ${timeMs / 1_000} s: find a shorter way`;

/** What the context made of its results. The program may have changed how it makes them: nothing in it is relied on. */
function outcomeOf(json: string, timeMs: number): SandboxOutcome {
  let made: { value?: unknown; emitted?: unknown; log?: unknown; problem?: unknown };
  try {
    made = { ...(JSON.parse(json) as object) };
  } catch {
    return { kind: "failed", problem: "its results are no JSON", log: "" };
  }
  const log = typeof made.log === "string" ? made.log.slice(0, limits.logChars) : "";
  if (made.problem === "interrupted") return { kind: "failed", problem: tooLong(timeMs), log };
  if (made.problem === "out of memory") return { kind: "failed", problem: tooMuch, log };
  if (typeof made.problem === "string") return { kind: "failed", problem: made.problem, log };
  return { kind: "done", value: made.value, emitted: Array.isArray(made.emitted) ? made.emitted : [], log };
}
