/** Programs that run beside the gateway: started until healthy, killed by any signal, started again on the same ports. */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { createConnection } from "node:net";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

/** One line that a program printed, without its end. */
export type Log = (source: string, line: string) => void;

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Program {
  /** Names it in log lines and errors. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** All that it sees of an environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Asked again and again after a start until it says true. A rejection is a no. */
  readonly healthy: () => Promise<boolean>;
  readonly log: Log;
  readonly cwd?: string;
  /** The user it runs as; the caller must be root. */
  readonly user?: string;
  readonly startMs?: number;
  /** What asks it to end in order; SIGTERM unless given. */
  readonly stopSignal?: NodeJS.Signals;
  /** Told of every end that neither `kill` nor `stop` asked for. */
  readonly onExit?: (exit: Exit) => void;
}

export interface Service {
  readonly name: string;
  /** Undefined while it does not run. */
  readonly pid: number | undefined;
  /** The last lines that it printed, for an error's text. */
  tail(): string;
  /** Resolves when it is gone; with SIGSTOP, SIGCONT and the like at once. Nothing happens when it does not run. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Ends it if it runs, starts it with the same command line, resolves when it is healthy. */
  restart(): Promise<void>;
  /** Asks it to end in order, and after `graceMs` sends SIGKILL. */
  stop(graceMs?: number): Promise<void>;
}

const ending: readonly NodeJS.Signals[] = ["SIGKILL", "SIGTERM", "SIGINT", "SIGQUIT", "SIGABRT"];
const pollMs = 50;
const tailLines = 40;

const children = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of children) signalGroup(child, "SIGKILL");
});

/**
 * Every program is in a process group of its own, so that Ctrl-C reaches only the process that started it, which ends it in
 * order. It never outlives that process: where the system can, the kernel kills it then.
 * @throws when it ends before it is healthy or takes longer than `startMs`, with its last lines.
 */
export async function startService(program: Program): Promise<Service> {
  const lines: string[] = [];
  let child: ChildProcess | undefined;
  let gone: Promise<void> = Promise.resolve();
  let asked = false;

  const running = () => child !== undefined && child.exitCode === null && child.signalCode === null;

  function launch(): void {
    asked = false;
    const [command, ...args] = commandLine(program);
    const made = spawn(command, args, {
      env: { ...program.env },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
      ...(program.cwd !== undefined && { cwd: program.cwd }),
    });
    child = made;
    children.add(made);
    for (const stream of [made.stdout, made.stderr]) {
      createInterface({ input: stream }).on("line", (line) => {
        lines.push(line);
        if (lines.length > tailLines) lines.shift();
        program.log(program.name, line);
      });
    }
    made.once("error", (error) => lines.push(error.message));
    gone = new Promise((resolve) => {
      const ended = () => {
        children.delete(made);
        resolve();
        if (!asked) program.onExit?.({ code: made.exitCode, signal: made.signalCode });
      };
      made.once("exit", ended);
      made.once("error", () => made.pid === undefined && ended());
    });
  }

  async function healthy(): Promise<void> {
    const startMs = program.startMs ?? 60_000;
    const until = performance.now() + startMs;
    while (performance.now() < until) {
      if (!running() || child?.pid === undefined) throw new Error(`${program.name} did not start:\n${reason(lines)}`);
      if (await program.healthy().catch(() => false)) return;
      await sleep(pollMs);
    }
    await service.kill();
    throw new Error(`${program.name} was not healthy within ${startMs} ms:\n${reason(lines)}`);
  }

  const service: Service = {
    name: program.name,
    get pid() {
      return running() ? child?.pid : undefined;
    },
    tail: () => lines.join("\n"),
    async kill(signal = "SIGKILL") {
      if (child === undefined || !running()) return;
      if (ending.includes(signal)) asked = true;
      signalGroup(child, signal);
      if (ending.includes(signal)) await gone;
    },
    async restart() {
      await service.kill();
      launch();
      await healthy();
    },
    async stop(graceMs = 10_000) {
      if (child === undefined || !running()) return;
      const last = child;
      const timer = setTimeout(() => signalGroup(last, "SIGKILL"), graceMs);
      await service.kill(program.stopSignal ?? "SIGTERM");
      clearTimeout(timer);
    },
  };
  launch();
  await healthy();
  return service;
}

/** Starts what depends on what before it, and ends all of it, the last first, when one fails. */
export async function stopAll(services: readonly Service[], graceMs?: number): Promise<void> {
  for (const service of services.toReversed()) await service.stop(graceMs);
}

/** What Dapr's programs call fatal, where they do: the lines before it say little about why. */
function reason(lines: readonly string[]): string {
  const fatal = lines.flatMap((line) => (line.includes('"level":"fatal"') ? [messageOf(line)] : []));
  return (fatal.length > 0 ? fatal : lines).join("\n");
}

function messageOf(line: string): string {
  const found = /"msg":("(?:[^"\\]|\\.)*")/.exec(line)?.[1];
  return found === undefined ? line : String(JSON.parse(found));
}

/** A health check by HTTP: any status of success is a yes. */
export async function answers(url: string): Promise<boolean> {
  const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
  await response.body?.cancel();
  return response.ok;
}

/** A health check by TCP on 127.0.0.1: what comes back after `sent` begins with `expected`. */
export async function replies(port: number, sent: string, expected: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: "127.0.0.1", port }, () => {
      if (expected === "") finish(true);
      else socket.write(sent, "latin1");
    });
    const finish = (answer: boolean) => {
      resolve(answer);
      socket.destroy();
    };
    socket.setTimeout(2_000, () => finish(false));
    socket.once("data", (data) => finish(data.toString("latin1").startsWith(expected)));
    socket.once("error", () => finish(false));
    socket.once("close", () => finish(false));
  });
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // The whole group is gone, or may not be signalled because it runs as another user: then its leader is tried alone.
    child.kill(signal);
  }
}

/** Linux's setpriv gives a program a user, and asks the kernel to kill it when the process that started it is gone. */
let guarded: boolean | undefined;

function commandLine({ command, args, user }: Program): [string, ...string[]] {
  guarded ??= process.platform === "linux" && spawnSync("setpriv", ["--pdeathsig", "KILL", "true"]).status === 0;
  if (!guarded && user === undefined) return [command, ...args];
  const as = user === undefined ? [] : [`--reuid=${user}`, `--regid=${user}`, "--init-groups"];
  return ["setpriv", ...as, ...(guarded ? ["--pdeathsig", "KILL"] : []), "--", command, ...args];
}
