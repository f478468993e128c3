/** The skilled agent of the tests as a process: started, killed, and started again on the same data. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { onTestFailed, onTestFinished } from "vitest";
import { freePorts } from "../../src/main/dapr/ports.ts";

const fixture = join(import.meta.dirname, "delegate.fixture.ts");
export const delegateKey = "an-api-key-of-the-gateway-that-asks";

/** Starts it; all of it ends with the test. @param config its ascent.yaml. @param name "tester" or "other". */
export async function startDelegate(env: Readonly<Record<string, string>> = {}, config: object = {}, name = "tester") {
  const data = await mkdtemp(join(tmpdir(), "ascent-delegate-"));
  const [port = 0] = await freePorts(1);
  const url = `http://127.0.0.1:${port}`;
  let child: ChildProcess | undefined;
  let printed = "";
  const isRunning = () => child !== undefined && child.exitCode === null && child.signalCode === null;
  const delegate = {
    url,
    data,
    /** Its ascent.yaml, from the next start on. */
    configure: (config: object) => writeFile(join(data, "ascent.yaml"), JSON.stringify(config)),
    async start(): Promise<void> {
      child = spawn(process.execPath, [fixture, name], {
        cwd: data,
        stdio: ["ignore", "pipe", "pipe"],
        env: {
          PATH: process.env["PATH"] ?? "",
          HOST: "127.0.0.1",
          PORT: String(port),
          ASCENT_DATA: data,
          ASCENT_A2A_KEYS: delegateKey,
          WEBHOOK_ALLOW_HOSTS: "127.0.0.1",
          LOG_LEVEL: "warn",
          ...env,
        },
      });
      for (const stream of [child.stdout, child.stderr]) stream?.on("data", (text) => (printed += String(text)));
      for (let tries = 0; tries < 1_200; tries++) {
        const response = await fetch(`${url}/readyz`).catch(() => undefined);
        await response?.body?.cancel();
        if (response?.status === 200) return;
        if (!isRunning()) throw new Error(`the agent ended before it was ready: ${printed}`);
        await sleep(25);
      }
      throw new Error(`the agent was not ready: ${printed}`);
    },
    /** In order with SIGTERM: what it has to put away is put away. */
    async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
      if (!isRunning() || child === undefined) return;
      const gone = once(child, "exit");
      child.kill(signal);
      await gone;
    },
  };
  onTestFailed(() => console.error(printed.slice(-3_000)));
  onTestFinished(async () => {
    await delegate.kill();
    await rm(data, { recursive: true, force: true });
  });
  await delegate.configure(config);
  await delegate.start();
  return delegate;
}
