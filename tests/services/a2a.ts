/** Skilled agents served by A2A as the gateway serves them: in this process, over HTTP where asked for. */
import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openGrpc, type GrpcServer } from "../../adapters/a2a/grpc.ts";
import { createA2aServer, defaultA2aSettings, type A2aSettings } from "../../adapters/a2a/server.ts";
import { createSafeFetch } from "../../adapters/fetch/index.ts";
import { openEmbedded } from "../../adapters/embedded/index.ts";
import { createServer } from "../../adapters/http/index.ts";
import type { SkilledAgent, TaskHooks, TaskOutcome, TaskRun } from "../../src/skilled.ts";
import { createTaskHost, type TaskHostOptions } from "../../src/task-host.ts";
import type { PushSender } from "../../src/task-push.ts";
import { clock, quietLog } from "../integration/embedded-fixture.ts";

export const apiKey = "an-api-key-of-one-caller";
export const otherKey = "an-api-key-of-another-caller";
export const secret = "a secret of the gateway that is long enough for everything";

export type Execute = (run: TaskRun, hooks: TaskHooks) => Promise<TaskOutcome>;

/** Does what the test says. */
export function agentOf(execute: Execute, name = "tester"): SkilledAgent {
  return {
    profile: {
      name,
      title: "Tester",
      description: "Does what a test wants",
      version: "1.0.0",
      skills: [{ id: "test", name: "Test", description: "Tests", tags: ["test"], examples: ["test this"] }],
      inputModes: ["text/plain", "application/json", "image/*"],
      outputModes: ["text/plain", "application/json"],
    },
    execute,
  };
}

export const textOf = ({ messages }: Pick<TaskRun, "messages">): string =>
  messages
    .findLast(({ role }) => role === "user")
    ?.parts.flatMap((part) => (part.kind === "text" ? [part.text] : []))
    .join(" ") ?? "";

export interface Given {
  readonly agents: readonly SkilledAgent[];
  readonly settings?: Partial<A2aSettings>;
  readonly host?: Partial<TaskHostOptions>;
  readonly allowHosts?: readonly string[];
  readonly directory?: string;
  /** Over HTTP too. */
  readonly listen?: boolean;
  /** By gRPC too, which the cards say. */
  readonly grpc?: boolean;
}

export async function serveA2a({ agents, settings, host, allowHosts = ["127.0.0.1"], directory, ...more }: Given) {
  const data = directory ?? (await mkdtemp(join(tmpdir(), "ascent-a2a-")));
  const runtime = await openEmbedded({ directory: data, clock, log: quietLog });
  const a2aSettings = { ...defaultA2aSettings, keys: [apiKey, otherKey], waitMs: 5_000, ...settings };
  let grpc: GrpcServer | undefined;
  const a2a = createA2aServer({
    settings: a2aSettings,
    secret,
    blobs: runtime.blobs,
    tenant: "default",
    safeFetch: createSafeFetch({ allowHosts }),
    clock,
    log: quietLog,
    newId: randomUUID,
    publicUrl: undefined,
    grpcAt: () => grpc && `127.0.0.1:${grpc.port}`,
  });
  const sender: PushSender = a2a.sender;
  const tasks = createTaskHost({
    runtime,
    clock,
    log: quietLog,
    instance: randomUUID(),
    sender,
    watchMs: 500,
    ...host,
  });
  for (const agent of agents) a2a.serve(tasks.add(agent), { alone: agents.length === 1 });
  runtime.jobs.handle(async (job, given) => void (await tasks.run(job, given)));
  const health = () => undefined;
  const server = createServer({ host: "127.0.0.1", port: 0, channels: [a2a], health, log: quietLog });
  const url = more.listen === true ? (await server.listen()).url : "http://agents.internal";
  const at = { host: "127.0.0.1", port: 0, origin: url, messageBytes: a2aSettings.bodyBytes };
  if (more.grpc === true) grpc = await openGrpc({ door: a2a.door, ...at });
  await runtime.start();
  let stopped = false;
  return {
    a2a,
    tasks,
    runtime,
    url,
    grpc,
    directory: data,
    /** @param grace 0: as a crash would, where that is possible within a process. */
    async stop(grace = 0) {
      if (stopped) return;
      stopped = true;
      await Promise.all([server.drain(0), grpc?.drain(0)]);
      if (grace > 0) await tasks.drain(grace);
      await runtime.stop(grace);
    },
    async close() {
      await this.stop();
      await rm(data, { recursive: true, force: true });
    },
  };
}
export type Served = Awaited<ReturnType<typeof serveA2a>>;
