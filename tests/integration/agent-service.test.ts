/** A skilled agent as a process of its own: kill -9 at each step, a graceful end, and Python's client as a foreign one. */
import { TaskState, type Task } from "@a2a-js/sdk";
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { describe, expect, onTestFinished, test } from "vitest";
import { freePorts } from "../../src/main/dapr/ports.ts";
import { listen, readBody } from "../fakes/http.ts";
import { needs } from "../needs.ts";
import { apiKey, otherKey } from "../services/a2a.ts";
import { a2aClient, requestOf, textsOf } from "../services/a2a-client.ts";
import { createGateway } from "./gateway-process.ts";
import { pythonWith } from "./python.ts";

const fixture = join(import.meta.dirname, "agent-service.fixture.ts");

async function openService() {
  const data = await mkdtemp(join(tmpdir(), "ascent-agent-"));
  const [port = 0] = await freePorts(1);
  const url = `http://127.0.0.1:${port}`;
  let child: ChildProcess | undefined;
  const isRunning = () => child !== undefined && child.exitCode === null && child.signalCode === null;
  const service = {
    url,
    data,
    async start() {
      child = spawn(process.execPath, [fixture, data, String(port)], { stdio: ["ignore", "inherit", "inherit"] });
      for (let tries = 0; tries < 600; tries++) {
        const response = await fetch(`${url}/readyz`).catch(() => undefined);
        await response?.body?.cancel();
        if (response?.status === 200) return;
        if (!isRunning()) throw new Error("the service ended before it was ready");
        await sleep(25);
      }
      throw new Error("the service was not ready");
    },
    /** Resolves when it has ended by itself. */
    async ended() {
      if (isRunning() && child !== undefined) await once(child, "exit");
      return child?.exitCode ?? child?.signalCode;
    },
    terminate: () => void child?.kill("SIGTERM"),
    client: () => a2aClient({ url, agent: "tester", headers: { authorization: `Bearer ${apiKey}` } }),
    runs: async () => (await readFile(join(data, "runs"), "utf8")).trim().split("\n"),
  };
  onTestFinished(async () => {
    if (isRunning()) child?.kill("SIGKILL");
    await service.ended();
    await rm(data, { recursive: true, force: true });
  });
  await service.start();
  return service;
}

const atOnce = { returnImmediately: true };

describe("kill -9", () => {
  test.each(["begin", "saved", "made", "end", "waiting"])(
    "at the step %j loses nothing",
    { timeout: 60_000 },
    async (step) => {
      const service = await openService();
      const request = requestOf(`kill:${step}`, {}, atOnce);
      // The answer may be cut off by the kill: the same message again is the same task.
      await service
        .client()
        .then((client) => client.sendMessage(request))
        .catch(() => undefined);
      expect(await service.ended()).toBe("SIGKILL");
      await service.start();
      const client = await service.client();
      const { id } = (await client.sendMessage(request)) as Task;
      const get = () => client.getTask({ tenant: "", id });
      await expect
        .poll(async () => (await get()).status?.state, { timeout: 30_000, interval: 100 })
        .toBe(TaskState.TASK_STATE_COMPLETED);
      expect(textsOf(await get())).toEqual(["part", `did kill:${step}`]);
      const because = (await service.runs()).map((line) => line.split(" ")[1]);
      expect(because[0]).toBe("said");
      expect(because.length).toBeLessThanOrEqual(2);
      // A kill at the end may come before or after the outcome is written.
      const next = step === "waiting" ? "due" : "died";
      expect(because.slice(1)).toEqual(step === "end" ? because.slice(1) : [next]);
    },
  );
});

test("a graceful end leaves what runs to the next start, which takes it up at once", { timeout: 60_000 }, async () => {
  const service = await openService();
  const client = await service.client();
  const { id } = (await client.sendMessage(requestOf("hold", {}, atOnce))) as Task;
  await expect
    .poll(async () => (await client.getTask({ tenant: "", id })).status?.state)
    .toBe(TaskState.TASK_STATE_WORKING);
  service.terminate();
  expect(await service.ended()).toBe(0);
  await service.start();
  await expect.poll(() => service.runs(), { timeout: 20_000 }).toHaveLength(2);
});

test("the command names the agents there are, and wants somebody to be able to ask", async () => {
  const gateway = await createGateway({ env: () => ({ ASCENT_A2A_KEYS: apiKey }) });
  onTestFinished(() => gateway.close());
  expect(await gateway.ascent("agent", "serve", "nobody")).toMatchObject({
    code: 1,
    err: expect.stringContaining('There is no skilled agent "nobody"'),
  });
  const closed = await createGateway({ env: () => ({}) });
  onTestFinished(() => closed.close());
  expect((await closed.ascent("agent", "serve", "nobody")).err).toContain("ASCENT_A2A_KEYS");
});

const python = needs("python3");
test.skipIf(python.missing)("Python's client of the protocol", { timeout: 400_000 }, async () => {
  const service = await openService();
  const got: { token: string; body: string }[] = [];
  const hook = await listen((request, response) => {
    void readBody(request).then((body) => {
      got.push({ token: String(request.headers["x-a2a-notification-token"]), body: String(body) });
      response.writeHead(204).end();
    });
  });
  onTestFinished(() => hook.close());
  const interpreter = await pythonWith(python.path, join(import.meta.dirname, "a2a-requirements.txt"));
  const script = join(import.meta.dirname, "a2a-client.py");
  const run = promisify(execFile);
  const { stdout } = await run(interpreter, [script, service.url, apiKey, otherKey, `${hook.url}/hook`], {
    timeout: 90_000,
  });
  expect(JSON.parse(stdout)).toEqual({
    card: { name: "Tester", signed: true, versions: ["0.3", "1.0"] },
    sent: "did this",
    streamed: ["task", "artifact_update", "artifact_update", "status_update"],
    asked: "TASK_STATE_INPUT_REQUIRED",
    answered: "TASK_STATE_COMPLETED",
    canceled: "TASK_STATE_CANCELED",
    stranger: "TaskNotFoundError",
    listed: true,
    legacy: "did old",
    grpc: {
      sent: "did this",
      streamed: ["task", "artifact_update", "artifact_update", "status_update"],
      answered: ["TASK_STATE_INPUT_REQUIRED", "TASK_STATE_COMPLETED"],
      stranger: "TaskNotFoundError: Task not found",
      nobody: "A2AClientError: gRPC Error UNAUTHENTICATED",
      canceled: "TASK_STATE_CANCELED",
    },
  });
  await expect
    .poll(() => got.some(({ body }) => body.includes("TASK_STATE_COMPLETED")), { timeout: 10_000 })
    .toBe(true);
  expect(new Set(got.map(({ token }) => token))).toEqual(new Set(["token-of-python"]));
});
