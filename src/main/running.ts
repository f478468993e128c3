/** A gateway that is put together: how it starts, in which order it stops. */
import type { A2aServer } from "../../adapters/a2a/server.ts";
import type { HttpServer } from "../../adapters/http/index.ts";
import type { Channel, Connection } from "../channel.ts";
import type { Connections } from "../connections.ts";
import type { Core } from "../core.ts";
import type { Delegations } from "../delegation.ts";
import { reasonOf } from "../errors.ts";
import type { Operations } from "../operations.ts";
import type { Clock, Log } from "../ports.ts";
import type { Subscriptions } from "../subscriptions.ts";
import type { GrpcServing, Serving } from "./a2a.ts";
import type { Config } from "./config.ts";
import { createConnecting } from "./connecting.ts";
import type { createControl } from "./control.ts";
import type { Readiness } from "./readiness.ts";
import type { Replicas } from "./replicas.ts";
import type { Role } from "./roles.ts";
import { prepareKnowledge, type Library } from "./library.ts";
import type { OpenedRuntime } from "./runtime.ts";

export interface Gateway {
  readonly url: string;
  readonly core: Core;
  /** The agents by A2A, without a socket: `fetch` for what in this process asks them, with {@link internalHeaders}. */
  readonly a2a: Pick<A2aServer, "handle" | "chainName">;
  /** A command's. */
  readonly operations: Operations;
  /** Listens, begins deliveries and has the channels connect. */
  start(): Promise<void>;
  /** Resolves when /readyz says so for the first time; call it after {@link start}. */
  ready(): Promise<void>;
  /** Intake ends, running turns get the grace time, what is unfinished is taken up by the next start. */
  stop(): Promise<void>;
}

export interface GatewayOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Log;
  /** "all" unless given; on the embedded runtime there is no other. */
  readonly role?: Role;
}

/** What the last handlers get when the grace time is over. */
const stopMs = 500;

/** All that runs. */
export interface Parts {
  readonly opened: OpenedRuntime;
  readonly core: Core;
  readonly subscriptions: Subscriptions;
  readonly serving: Serving;
  readonly delegations: Delegations;
  readonly operations: Operations;
  readonly connections: Connections;
  readonly instance: string;
  readonly channels: readonly Channel[];
  /** Those of them that hold a socket or poll, here. */
  readonly connects: readonly Channel[];
  readonly server: HttpServer;
  /** Absent where nobody outside may ask here. */
  readonly grpc: GrpcServing | undefined;
  /** Where other replicas may have to ask this one. */
  readonly replicas: Replicas | undefined;
  readonly control: ReturnType<typeof createControl>;
  readonly readiness: Readiness;
  readonly signals: { close(): void } | undefined;
  /** Tools' servers. */
  readonly servers: { close(): Promise<void> };
  readonly library: Pick<Library, "knowledge">;
  readonly counts: { close(): void } | undefined;
  readonly budgets: { drain(graceMs: number): Promise<void> } | undefined;
}

/** Starts it and stops it, each once. */
export function assemble({ config, clock, log, role }: GatewayOptions, parts: Parts): Gateway {
  const { opened, core, subscriptions, serving, delegations, instance, connections } = parts;
  const { channels, connects, server, control, signals, counts, replicas } = parts;
  const { runtime } = opened;
  const intake = new AbortController();
  const attempts = new Map<string, Promise<Connection | undefined>>();
  let ready = Promise.resolve();
  let url = "";
  let replicaAddress: string | undefined;
  let endSweeps = () => {};
  let stopped: Promise<void> | undefined;

  const connect = createConnecting({
    records: runtime.records,
    clock,
    log,
    instance,
    leaseMs: config.dapr.leaseSeconds * 1_000,
    exclusive: runtime.actors.exclusive,
    connections,
    replicaAddress: () => replicaAddress,
    isOff: (channel) => parts.readiness.isOff(nameOf(channel)),
    signal: intake.signal,
  });

  /** Within the grace time as a whole, whatever each step takes of it. */
  async function stop(): Promise<void> {
    const until = clock.monotonic() + config.server.graceSeconds * 1_000;
    const left = () => Math.max(0, until - clock.monotonic());
    intake.abort();
    endSweeps();
    const drained = Promise.all([server.drain(left()), parts.grpc?.drain(left())]);
    const closed = Promise.allSettled([...attempts.values()].map(async (connection) => (await connection)?.closed));
    await Promise.race([closed, new Promise<void>((resolve) => void clock.after(left(), resolve))]);
    await Promise.all([core.drain(left()), serving.host.drain(left())]);
    await delegations.drain(left());
    await parts.budgets?.drain(Math.max(left(), stopMs));
    await drained;
    const ended = parts.servers.close().catch((error: unknown) => {
      log.warn({ reason: reasonOf(error) }, "tools' servers were not stopped in order");
    });
    await runtime.stop(Math.max(left(), stopMs));
    await Promise.race([ended, new Promise<void>((resolve) => void clock.after(Math.max(left(), stopMs), resolve))]);
    for (const channel of channels) channel.close?.();
    signals?.close();
    await replicas?.close();
    counts?.close();
    await parts.library.knowledge.close().catch((error: unknown) => {
      log.warn({ reason: reasonOf(error) }, "the documents were not closed in order");
    });
    await control.close();
  }

  return {
    get url() {
      return url;
    },
    core,
    a2a: serving.server,
    operations: parts.operations,
    async start() {
      const listening = await server.listen();
      await parts.grpc?.listen(listening.url);
      url = config.server.publicUrl ?? listening.url;
      replicaAddress = await replicas?.listen();
      opened.describe({ address: listening.url, ...(await control.listen()) });
      await runtime.start();
      prepareKnowledge(parts.library, log);
      subscriptions.resume().catch((error: unknown) => {
        log.warn({ reason: reasonOf(error) }, "webhooks that wait could not be looked for");
      });
      for (const channel of connects) attempts.set(nameOf(channel), connect(channel));
      if (role !== "agents") endSweeps = core.endings.start();
      ready = parts.readiness.connecting(attempts);
    },
    ready: () => ready,
    stop: () => (stopped ??= stop()),
  };
}

function nameOf({ channel, account }: Channel): string {
  return `${channel}/${account}`;
}
