/** The real gateway as a process of its own: started, killed, and started again on the same data. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePorts } from "../../src/main/dapr/ports.ts";

const project = join(import.meta.dirname, "../..");

export interface GatewayOptions {
  /** Environment names and values for a gateway at this address; what is not named here it does not see. */
  readonly env: (url: string) => Readonly<Record<string, string>>;
  /** Written as ascent.yaml. */
  readonly config?: object;
  /** Of `ascent`: "start" unless given. What it runs has to answer at /readyz. */
  readonly command?: readonly string[];
  /** A program that is the gateway instead of `ascent start`. */
  readonly script?: string;
  /** Given to it. */
  readonly args?: readonly string[];
  /** The project it is run from; this one unless given. */
  readonly root?: string;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** From the request to end until the end, in milliseconds. */
  readonly ms: number;
}

export interface GatewayProcess {
  /** The same address in all lives. */
  readonly url: string;
  readonly data: string;
  readonly pid: number;
  /** When it was killed with SIGKILL: monotonic milliseconds of this process, which are those of fakes in it. */
  readonly kills: readonly number[];
  /** Everything that all lives printed. */
  output(): string;
  /** The last lines, for a failed test. */
  tail(): string;
  /** Starts it without waiting. */
  launch(): void;
  /** Resolves when /readyz says so. Rejects when it ends before or takes too long. */
  ready(timeoutMs?: number): Promise<void>;
  start(): Promise<void>;
  /** SIGKILL. Resolves when it is gone; its sockets are closed then. */
  kill(): Promise<void>;
  /** SIGTERM. Resolves when it has ended, by SIGKILL at the latest after `mostMs`. */
  terminate(mostMs?: number): Promise<Exit>;
  /** Runs another `ascent` command on the same settings to its end. */
  ascent(
    ...args: readonly string[]
  ): Promise<{ readonly code: number | null; readonly out: string; readonly err: string }>;
  /** Ends it, whatever it does, and removes its data. */
  close(): Promise<void>;
}

const startMs = 30_000;
const commandMs = 20_000;

export async function createGateway(options: GatewayOptions): Promise<GatewayProcess> {
  const { env, config, command = ["start"], args: startArgs = [], root = project, script } = options;
  const home = await mkdtemp(join(tmpdir(), "ascent-test-"));
  const data = join(home, "data");
  const [port = 0] = await freePorts(1);
  const url = `http://127.0.0.1:${port}`;
  if (config !== undefined) await writeFile(join(home, "ascent.yaml"), JSON.stringify(config));
  const environment = {
    PATH: process.env["PATH"] ?? "",
    HOME: home,
    HOST: "127.0.0.1",
    PORT: String(port),
    ASCENT_DATA: data,
    LOG_LEVEL: "warn",
    // Tests write faster than people.
    ASCENT_MESSAGES_PER_MINUTE: "off",
    ...env(url),
  };
  const lines: string[] = [];
  const kills: number[] = [];
  let child: ChildProcess | undefined;
  let gone: Promise<unknown> = Promise.resolve();

  const ascent = [join(root, "bin/ascent")];
  const started = script === undefined ? [...ascent, ...command] : [join(root, "bin/node"), script];

  function run(args: readonly string[], print: (text: string, from: "out" | "err") => void): ChildProcess {
    const made = spawn("sh", args, {
      cwd: home,
      env: environment,
      stdio: ["ignore", "pipe", "pipe"],
    });
    made.stdout.setEncoding("utf8").on("data", (text: string) => print(text, "out"));
    made.stderr.setEncoding("utf8").on("data", (text: string) => print(text, "err"));
    const end = () => void made.kill("SIGKILL");
    process.once("exit", end);
    made.once("close", () => process.removeListener("exit", end));
    return made;
  }

  const running = () => child !== undefined && child.exitCode === null && child.signalCode === null;

  const gateway: GatewayProcess = {
    url,
    data,
    kills,
    get pid() {
      return child?.pid ?? 0;
    },
    output: () => lines.join(""),
    tail: () => lines.join("").split("\n").slice(-40).join("\n"),
    launch() {
      if (running()) throw new Error("the gateway runs already");
      lines.push(`--- start ${kills.length + 1}\n`);
      child = run([...started, ...startArgs], (text) => lines.push(text));
      gone = once(child, "close");
    },
    async ready(timeoutMs = startMs) {
      const until = performance.now() + timeoutMs;
      while (performance.now() < until) {
        if (!running()) throw new Error(`the gateway ended before it was ready:\n${gateway.tail()}`);
        const response = await fetch(`${url}/readyz`).catch(() => undefined);
        await response?.body?.cancel();
        if (response?.status === 200) return;
        await sleep(25);
      }
      throw new Error(`the gateway was not ready within ${timeoutMs} ms:\n${gateway.tail()}`);
    },
    async start() {
      gateway.launch();
      await gateway.ready();
    },
    async kill() {
      if (!running()) throw new Error(`the gateway ended by itself:\n${gateway.tail()}`);
      kills.push(performance.now());
      child?.kill("SIGKILL");
      await gone;
    },
    async terminate(mostMs = 60_000) {
      const began = performance.now();
      const timer = setTimeout(() => child?.kill("SIGKILL"), mostMs);
      child?.kill("SIGTERM");
      await gone;
      clearTimeout(timer);
      return { code: child?.exitCode ?? null, signal: child?.signalCode ?? null, ms: performance.now() - began };
    },
    async ascent(...args) {
      const said = { out: "", err: "" };
      const one = run([...ascent, ...args], (text, from) => (said[from] += text));
      const timer = setTimeout(() => one.kill("SIGKILL"), commandMs);
      await once(one, "close");
      clearTimeout(timer);
      return { code: one.exitCode, ...said };
    },
    async close() {
      if (running()) child?.kill("SIGKILL");
      await gone;
      await rm(home, { recursive: true, force: true, maxRetries: 10 });
    },
  };
  return gateway;
}
