/** The processes and folders of one scenario: whatever happens, all of them are gone when it ends. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

export const root = new URL("../..", import.meta.url).pathname;

export interface Launched {
  readonly name: string;
  readonly pid: number;
  /** The first line of its standard output. */
  readonly firstLine: Promise<string>;
  /** Resolves when it ended by itself with 0, with all it wrote to standard output; rejects otherwise. */
  readonly finished: Promise<string>;
  /** SIGTERM, and SIGKILL for one that does not end within `graceMs` (default 10 s). */
  stop(graceMs?: number): Promise<void>;
}

export interface LaunchOptions {
  readonly name: string;
  /** Default: this Node.js. */
  readonly command?: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  /** All of its environment besides PATH, HOME and NODE_ENV. */
  readonly env?: Readonly<Record<string, string>>;
  /** It is meant to end by itself: see {@link Launched.finished}. */
  readonly ends?: true;
}

export interface Session {
  launch(options: LaunchOptions): Launched;
  /** A new, empty folder on disk. */
  folder(): string;
  /** Done when the session closes, the last first, after its processes have ended. */
  defer(close: () => Promise<void>): void;
  /** Rejects when a process ends that nobody stopped. */
  readonly broken: Promise<never>;
  close(): Promise<void>;
}

interface Running {
  readonly child: ChildProcess;
  stopping: boolean;
}

const tailLines = 20;
const running = new Set<Running>();
const folders = new Set<string>();

// The last resort, for a bench that is interrupted or fails.
process.on("exit", () => {
  for (const { child } of running) child.kill("SIGKILL");
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});
for (const [signal, code] of [["SIGINT", 130] as const, ["SIGTERM", 143] as const]) {
  process.on(signal, () => process.exit(code));
}

export function createSession(): Session {
  const mine: { readonly launched: Launched; readonly of: Running }[] = [];
  const myFolders: string[] = [];
  const deferred: (() => Promise<void>)[] = [];
  const { promise: broken, reject } = Promise.withResolvers<never>();
  broken.catch(() => undefined); // raced by the runner, which may be done before

  let closed = false;
  return {
    broken,
    launch(options) {
      // A scenario that ran out of time may still be going on.
      if (closed) throw new Error(`${options.name} is not started: the scenario is over`);
      const { launched, of } = launch(options, reject);
      mine.push({ launched, of });
      return launched;
    },
    folder() {
      // Not in the system's folder for temporary files, which may be memory.
      const cache = join(root, "node_modules/.cache/ascent-bench");
      mkdirSync(cache, { recursive: true });
      const path = mkdtempSync(join(cache, "run-"));
      folders.add(path);
      myFolders.push(path);
      return path;
    },
    defer: (close) => void deferred.push(close),
    async close() {
      closed = true;
      for (const { of } of mine) of.stopping = true;
      await Promise.all(mine.map(({ launched }) => launched.stop()));
      for (const close of deferred.toReversed()) await close();
      for (const path of myFolders) {
        rmSync(path, { recursive: true, force: true });
        folders.delete(path);
      }
    },
  };
}

function launch(options: LaunchOptions, fail: (error: Error) => void): { launched: Launched; of: Running } {
  const { name, command = process.execPath, args, cwd = root, env = {}, ends = false } = options;
  const { PATH = "", HOME = "", NODE_COMPILE_CACHE = "" } = process.env;
  const base = { PATH, HOME, NODE_COMPILE_CACHE, NODE_ENV: "production" };
  const child = spawn(command, args, { cwd, env: { ...base, ...env }, stdio: ["ignore", "pipe", "pipe"] });
  const of: Running = { child, stopping: false };
  running.add(of);
  const tail: string[] = [];
  const note = (line: string) => {
    tail.push(line);
    if (tail.length > tailLines) tail.shift();
  };
  const output: string[] = [];
  const lines = createInterface(child.stdout);
  lines.on("line", (line) => {
    note(line);
    if (ends) output.push(line);
  });
  createInterface(child.stderr).on("line", note);

  const { promise: finished, resolve: finish, reject: unfinished } = Promise.withResolvers<string>();
  finished.catch(() => undefined); // not everybody asks
  const ended = new Promise<void>((resolve) => {
    const end = (how: string, code: number | null = null) => {
      running.delete(of);
      const error = new Error(`${name} ${how}${tail.length === 0 ? "" : `:\n${tail.join("\n")}`}`);
      if (code === 0) finish(output.join("\n"));
      else unfinished(error);
      if (!of.stopping && !(ends && code === 0)) fail(error);
      resolve();
    };
    child.once("error", (error) => end(`did not start (${error.message})`));
    child.once("close", (code, signal) => end(`ended by itself (${signal ?? code})`, code));
  });
  const firstLine = Promise.race([
    once(lines, "line").then(([line]) => String(line)),
    ended.then(() => Promise.reject(new Error(`${name} ended without a word`))),
  ]);
  firstLine.catch(() => undefined); // not everybody asks

  const stop = async (graceMs = 10_000) => {
    of.stopping = true;
    child.kill("SIGTERM");
    const cancel = new AbortController();
    await Promise.race([ended, sleep(graceMs, undefined, { signal: cancel.signal }).catch(() => undefined)]);
    cancel.abort();
    if (running.has(of)) child.kill("SIGKILL");
    await ended;
  };
  return { launched: { name, pid: child.pid ?? -1, firstLine, finished, stop }, of };
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** @throws naming what took too long. */
export async function within<Result>(ms: number, what: string, work: Promise<Result>): Promise<Result> {
  const cancel = new AbortController();
  const late = sleep(ms, undefined, { signal: cancel.signal }).then(() => {
    throw new Error(`${what} took more than ${Math.round(ms / 1_000)} s`);
  });
  late.catch(() => undefined);
  try {
    return await Promise.race([work, late]);
  } finally {
    cancel.abort();
  }
}

export async function until(
  ms: number,
  what: string,
  holds: () => boolean | Promise<boolean>,
  everyMs = 50,
): Promise<void> {
  const deadline = performance.now() + ms;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`${what}: not within ${Math.round(ms / 1_000)} s`);
    await sleep(everyMs);
  }
}
