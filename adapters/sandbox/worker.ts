/** The thread of one program. */
import { parentPort, workerData } from "node:worker_threads";
import {
  newQuickJSWASMModuleFromVariant,
  newVariant,
  RELEASE_SYNC,
  type QuickJSContext,
  type QuickJSHandle,
  type QuickJSRuntime,
} from "quickjs-emscripten";
import { InputError } from "../../src/errors.ts";
import type { SandboxProgram } from "../../src/sandbox.ts";
import { readData } from "./data.ts";
import { inside } from "./inside.ts";

export interface Work {
  readonly program: SandboxProgram;
  readonly timeMs: number;
  readonly memoryPages: number;
  readonly outputChars: number;
  readonly logChars: number;
}
export type Reply =
  | { readonly kind: "started" }
  /** What {@link inside} made. */
  | { readonly kind: "ended"; readonly json: string }
  /** The engine itself gave up; empty: out of memory. */
  | { readonly kind: "failed"; readonly problem: string }
  /** The files cannot be read. */
  | { readonly kind: "refused"; readonly reason: string };

// Not among the types of a program without a browser.
const { Memory } = (
  globalThis as unknown as { WebAssembly: { Memory: new (pages: { initial: number; maximum: number }) => object } }
).WebAssembly;
const initialPages = 256;
const stackBytes = 256 * 1024;
/** Of the engine's own memory, so that it says so to the program before it has none for saying it. */
const spareBytes = 8 * 1024 * 1024;
/** What was printed is still fetched from a program that is out of time. */
const fetchMs = 300;

let hasStarted = false;

async function run({ program, timeMs, memoryPages, outputChars, logChars }: Work): Promise<Reply> {
  const data = JSON.stringify(program.files.map(readData));
  const wasmMemory = new Memory({ initial: initialPages, maximum: memoryPages });
  const engine = await newQuickJSWASMModuleFromVariant(newVariant(RELEASE_SYNC, { wasmMemory }));
  hasStarted = true;
  parentPort?.postMessage({ kind: "started" } satisfies Reply);
  const runtime = engine.newRuntime();
  runtime.setMemoryLimit(memoryPages * 65_536 - spareBytes);
  runtime.setMaxStackSize(stackBytes);
  let deadline = performance.now() + timeMs;
  let isOver = false;
  runtime.setInterruptHandler(() => {
    if (performance.now() < deadline) return false;
    if (isOver) return true;
    isOver = true;
    deadline = performance.now() + fetchMs;
    return true;
  });
  const context = runtime.newContext();
  const result = evaluate(context, runtime, program, { data, logChars, isOver: () => isOver });
  const length = context.getProp(result, "length").consume((handle) => context.getNumber(handle));
  if (context.typeof(result) !== "string") return { kind: "failed", problem: "its results are no JSON" };
  if (!(length <= outputChars))
    return {
      kind: "failed",
      problem: `it returns and emits more than ${outputChars} characters: return what is asked for, not all of the data`,
    };
  return { kind: "ended", json: context.getString(result) };
}

/** @returns the JSON that {@link inside} made, as it is in there. */
function evaluate(
  context: QuickJSContext,
  runtime: QuickJSRuntime,
  { setup, code }: SandboxProgram,
  { data, logChars, isOver }: { readonly data: string; readonly logChars: number; readonly isOver: () => boolean },
): QuickJSHandle {
  const begin = context.unwrapResult(context.evalCode(inside, "inside.js"));
  const ends = context.unwrapResult(
    context.callFunction(begin, context.undefined, context.newString(data), context.newNumber(logChars)),
  );
  const end = (name: "done" | "failed" | "stuck" | "over", ...of: QuickJSHandle[]): QuickJSHandle => {
    const made = context.callFunction(context.getProp(ends, name), context.undefined, ...of);
    if (made.error === undefined) return made.value;
    // What it made is no JSON: a circle, a BigInt, more than there is memory for.
    const told =
      name === "failed" ? made : context.callFunction(context.getProp(ends, "failed"), context.undefined, made.error);
    if (told.error === undefined) return told.value;
    return context.newString(JSON.stringify({ problem: isOver() ? "interrupted" : "out of memory" }));
  };
  if (setup !== undefined) context.unwrapResult(context.evalCode(setup, "setup.js"));
  // Line numbers are the program's own.
  const started = context.evalCode(`(async function () { ${code}\n})()`, "program.js", { type: "global" });
  if (started.error !== undefined) return end("failed", started.error);
  for (;;) {
    const jobs = runtime.executePendingJobs(100);
    if (jobs.error !== undefined) return end("failed", jobs.error);
    const state = context.getPromiseState(started.value);
    if (state.type === "fulfilled") return end("done", state.value);
    if (state.type === "rejected") return end("failed", state.error);
    if (isOver()) return end("over");
    if (jobs.value === 0) return end("stuck");
  }
}

const reply = await run(workerData as Work).catch((error: unknown): Reply => {
  if (error instanceof InputError) return { kind: "refused", reason: error.message };
  if (!hasStarted) throw error;
  if (error instanceof RangeError) return { kind: "failed", problem: "it calls itself too deeply" };
  return { kind: "failed", problem: "" };
});
parentPort?.postMessage(reply);
