/** What serves agents by A2A, as the configuration says. */
import { createA2aServer, type A2aServer } from "../../adapters/a2a/server.ts";
import type { SafeFetch } from "../fetch.ts";
import type { Clock, Log, Runtime, Signals } from "../ports.ts";
import { createTaskHost, type TaskHost, type TaskHostOptions } from "../task-host.ts";
import type { PushSender } from "../task-push.ts";
import { accountsOf } from "./accounts.ts";
import type { Config } from "./config.ts";

export interface Serving {
  readonly server: A2aServer;
  readonly host: TaskHost;
  /** As {@link TaskHost.add}, and served at once. */
  readonly add: TaskHost["add"];
  readonly grpc: GrpcServing;
}

/** The same agents by gRPC, where the configuration wants it; else both do nothing. */
export interface GrpcServing {
  /** @param origin of the agents' HTTP addresses. */
  listen(origin: string): Promise<void>;
  drain(graceMs: number): Promise<void>;
}

export interface ServingOptions {
  readonly config: Config;
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly log: Log;
  readonly instance: string;
  readonly secret: string;
  readonly safeFetch: SafeFetch;
  readonly signals: Signals | undefined;
  readonly newId: () => string;
  /** What is done with push notifications of its tasks; by default they go where their callers say. */
  readonly sender?: (outside: PushSender) => PushSender;
  /** As {@link TaskHostOptions.erased}. */
  readonly erased?: TaskHostOptions["erased"];
  /** The one agent of this process: its card is the address's own. */
  readonly alone?: true;
}

const streamMs = 30 * 60_000;

export function createServing(options: ServingOptions): Serving {
  const { config, runtime, clock, log, instance, secret, safeFetch, signals, newId, alone = false } = options;
  const { keys, waitSeconds, streamsPerCaller, bodyBytes, tasks, taskDays } = config.a2a;
  const server = createA2aServer({
    settings: { keys, waitMs: waitSeconds * 1_000, streamMs, streamsPerCaller, bodyBytes },
    secret,
    blobs: runtime.blobs,
    tenant: tenantOf(config),
    safeFetch,
    clock,
    log,
    newId,
    publicUrl: config.server.publicUrl,
    grpcAt: (origin) => grpcAt(origin),
  });
  const { grpc, grpcAt } = createGrpcServing(config, server);
  const limits = { tasks, endedDays: taskDays };
  const host = createTaskHost({
    runtime,
    clock,
    log,
    instance,
    signals,
    limits,
    chainName: server.chainName,
    erased: options.erased,
    sender: options.sender?.(server.sender) ?? server.sender,
  });
  return {
    server,
    host,
    grpc,
    add(agent, elsewhere) {
      const made = host.add(agent, elsewhere);
      server.serve(made, { alone });
      return made;
    },
  };
}

function createGrpcServing({ a2a, server: { host } }: Config, { door }: A2aServer) {
  let opened: { readonly port: number; drain(graceMs: number): Promise<void> } | undefined;
  const grpc: GrpcServing = {
    async listen(origin) {
      const { grpcPort: port, bodyBytes: messageBytes } = a2a;
      if (port === undefined) return;
      const { openGrpc } = await import("../../adapters/a2a/grpc.ts");
      opened = await openGrpc({ door, host, port, origin, messageBytes });
    },
    drain: async (graceMs) => opened?.drain(graceMs),
  };
  const grpcAt = (origin: string): string | undefined =>
    opened && (a2a.grpcUrl ?? `${new URL(origin).hostname}:${opened.port}`);
  return { grpc, grpcAt };
}

/** Whoever asks with a key is of the tenant whose account it is. */
function tenantOf(config: Config): string {
  return accountsOf(config).find(({ name }) => name === "a2a")?.own.tenant ?? "default";
}
