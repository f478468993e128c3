/** The gateway put together: runtime, agents, channels, server; started in this order and stopped in the other. */
import { createHash, randomBytes, randomUUID } from "node:crypto";
import type { A2aServer } from "../../adapters/a2a/server.ts";
import { createSafeFetch } from "../../adapters/fetch/index.ts";
import { createModels } from "../../adapters/models/index.ts";
import { createServer, type HttpServer } from "../../adapters/http/index.ts";
import type { Announce } from "../announce.ts";
import type { Channel, Connection, HttpHandler } from "../channel.ts";
import { createBelongings } from "../belongings.ts";
import { createCore, type Core } from "../core.ts";
import { createConnections, type Connections } from "../connections.ts";
import type { Delegations } from "../delegation.ts";
import type { NestedRun } from "../delegation-nested.ts";
import { pushHandler, withLocalPush } from "../delegation-push.ts";
import { createEffects } from "../effects.ts";
import { reasonOf } from "../errors.ts";
import { throughHolder, type HeldChannel } from "../holder.ts";
import { operationsOf, type Operated, type Operations } from "../operations.ts";
import type { Clock, Log, Signals } from "../ports.ts";
import { createServing, type Serving } from "./a2a.ts";
import { accountKey, accountsOf } from "./accounts.ts";
import { createAgents, modelsSettings } from "./agents.ts";
import { channelKinds } from "./channels.ts";
import type { Config } from "./config.ts";
import { createConnecting } from "./connecting.ts";
import { consoleOf, documentsOf } from "./console.ts";
import { createControl } from "./control.ts";
import { openMcpClients, openMcpGateway } from "./mcp.ts";
import { pageDirectory } from "../../channels/web/page/build.ts";
import { createLibrary } from "./library.ts";
import { accessOf } from "./policies.ts";
import { openDelegations } from "./delegates.ts";
import { createReadiness, type Readiness } from "./readiness.ts";
import { createReplicas, replicaToken, type Replicas } from "./replicas.ts";
import type { Role } from "./roles.ts";
import { openRuntime, type OpenedRuntime } from "./runtime.ts";
import type { PushSender } from "../task-push.ts";
import { createSkills, skillKinds } from "./skills.ts";
import { createSubscriptions, type Subscriptions } from "../subscriptions.ts";
import { subscribersOf } from "./subscribers.ts";
import { turnPlaces } from "./tenants.ts";
import { blobsOf } from "../tenant-blobs.ts";

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

/** Opens the data and builds everything; nothing runs until {@link Gateway.start}. */
export async function openGateway({ config, clock, log, role = "all" }: GatewayOptions): Promise<Gateway> {
  const opened = await openRuntime(config, role, clock, log);
  const { runtime } = opened;
  const instance = randomUUID();
  const secret = await opened.secret();
  const channels = new Map<string, Channel>();
  const safeFetch = createSafeFetch({ allowHosts: config.webhooks.allowHosts });
  const servers = await openMcpClients({ config, runtime, clock, log }, safeFetch);
  const signals = config.redis.url === undefined ? undefined : await openSignals(config.redis.url, instance, log);
  const newId = () => randomBytes(18).toString("base64url");
  const sender = (outside: PushSender) => withLocalPush(outside, () => delegations);
  const serving = createServing({ config, runtime, clock, log, instance, secret, safeFetch, signals, newId, sender });
  runtime.invoked?.("/a2a", serving.server.handle);
  const { records, blobs } = runtime;
  const models = createModels(modelsSettings(config), { clock });
  const { spec: model } = config.model;
  const { publicUrl } = config.server;
  const library = createLibrary(config.data, { clock, log });
  const delegating = (run: NestedRun) => delegations.within(run);
  const deps = { records, blobs, safeFetch, clock, log, newId, models, model, library, publicUrl, delegating };
  const skilled = createSkills(skillKinds, config.skills, deps);
  for (const agent of skilled) serving.add(agent);
  const delegations = openDelegations({
    config,
    runtime,
    clock,
    log,
    safeFetch,
    secret,
    server: serving.server,
    local: skilled.map(({ profile }) => profile.name),
    known: Object.keys(skillKinds),
    prompt: (...of) => core.proactive.prompt(...of),
    reaches: (to) => channels.get(accountKey(to))?.reach !== undefined,
  });
  const belongings = createBelongings(runtime, clock);
  const effects = createEffects({ records, clock, belongings });
  const outside = { sources: [delegations.source, ...servers.sources], effects };
  const agents = createAgents({ config, clock, log, blobs, outside });
  const counts = config.redis.url === undefined ? undefined : await openCounts(config.redis.url, clock, log);
  const subscribers = subscribersOf(config, { safeFetch, clock, bindings: runtime.bindings });
  const subscriptions = createSubscriptions({ runtime, belongings, clock, log, subscribers });
  runtime.jobs.handle(async (job, data) => {
    const known =
      (await subscriptions.run(job, data)) ||
      (await core.approvals.run(job, data)) ||
      (await serving.host.run(job, data)) ||
      (await delegations.run(job, data));
    if (!known) log.warn({ job }, "a job that nothing here knows is over");
  });
  const mcp = await openMcpGateway(
    { config, runtime, clock, log },
    { agents: agents.names, belongings, core: () => core },
  );
  const announces = [
    ...(mcp === undefined ? [] : [mcp.announce]),
    ...(subscribers.length === 0 ? [] : [subscriptions.announce]),
  ];
  const core: Core = createCore({
    runtime,
    clock,
    log,
    instance,
    channelOf: (to) => channels.get(accountKey(to)),
    agentOf: (to) => agents.of(to),
    access: { ...accessOf(config), counts },
    safeFetch,
    places: turnPlaces(config),
    delivers: role !== "agents",
    delegations,
    erase: mcp?.erase,
    ...(announces.length === 0 ? {} : { announce: toAll(announces) }),
  });
  const token = replicaToken(secret);
  const held: HeldChannel[] = [];
  /** Where one replica alone can send, the others ask it. */
  const reachable = (channel: Channel): Channel => {
    if (runtime.actors.exclusive || channel.traits.bySocket !== true) return channel;
    held.push(throughHolder(channel, { records: runtime.records, clock, instance, token, fetch }));
    return held.at(-1)?.channel ?? channel;
  };
  for (const { name, account, settings, own } of accountsOf(config)) {
    const ref = { tenant: own.tenant, channel: name, account };
    const make = await channelKinds[name].load();
    const channel = make(
      settings,
      {
        ...ref,
        inbound: core.inbound,
        records: runtime.records,
        transcript: runtime.transcript,
        blobs: blobsOf(runtime.blobs, own.tenant),
        belongings,
        endings: core.endings,
        ...(signals === undefined ? {} : { signals }),
        clock,
        log,
        newId,
        publicUrl: config.server.publicUrl,
        // Each account signs with a key of its own.
        secret: createHash("sha256")
          .update(`${secret}:${accountKey(ref)}`)
          .digest("base64url"),
      },
      {
        agent: agents.introduce(own.agent),
        agents: agents.names,
        pageDirectory,
        documents: documentsOf(config),
        safeFetch,
        groups: own.groups,
        data: config.data,
        profiles: agents.profiles,
        host: serving.add,
      },
    );
    channels.set(accountKey(ref), reachable(channel));
    const { binding, take } = channel;
    if (binding === undefined || take === undefined) continue;
    if (runtime.bindings === undefined)
      throw new Error(
        `${name}/${account} takes from the binding "${binding}": set ASCENT_RUNTIME=dapr, or leave it out.`,
      );
    runtime.bindings.take(binding, take);
  }

  for (const channel of mcp?.channels ?? []) channels.set(accountKey(channel), channel);
  const all = [...channels.values()];
  const connections = createConnections({ records, clock, log, instance, shared: !runtime.actors.exclusive });
  for (const channel of all) connections.watch(channel);
  const operated: Operated = { runtime, core, subscriptions, connections, channels: all, log };
  const operations = operationsOf(operated, { name: "a command" });
  const control = createControl({ operations, log });
  const web = [...(mcp === undefined ? [] : [mcp.handler(operated)]), ...all.filter(answersHttp)];
  const readiness = createReadiness({ clock, log });
  const server = createServer({
    host: config.server.host,
    port: config.server.port,
    channels:
      role === "agents"
        ? []
        : [
            pushHandler(() => delegations, log),
            ...(await consoleOf(config, operated, clock)),
            ...servedTo(config, serving),
            ...web,
          ].toSorted(byCatchAll),
    health: () => readiness.reason() ?? runtime.health(),
    off: () => readiness.off(),
    log,
  });
  const connects = role === "agents" ? [] : all.filter((channel) => channel.connect !== undefined);
  const holds = role !== "agents" && held.length > 0;
  const replicas = holds ? createReplicas(config.dapr, { held, token, log }) : undefined;
  return assemble(
    { config, clock, log, role },
    {
      opened,
      core,
      subscriptions,
      serving,
      delegations,
      operations,
      connections,
      instance,
      channels: all,
      connects,
      server,
      replicas,
      control,
      readiness,
      signals,
      servers,
      counts,
    },
  );
}

async function openCounts(url: string, clock: Clock, log: Log) {
  const { connectCounts } = await import("../../adapters/redis/counts.ts");
  return connectCounts({ url, clock, log });
}

async function openSignals(url: string, instance: string, log: Log): Promise<Signals & { close(): void }> {
  const { connectSignals } = await import("../../adapters/redis/index.ts");
  return connectSignals({ url, instance, log });
}

/** What the last handlers get when the grace time is over. */
const stopMs = 500;

interface Parts {
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
  /** Where other replicas may have to ask this one. */
  readonly replicas: Replicas | undefined;
  readonly control: ReturnType<typeof createControl>;
  readonly readiness: Readiness;
  readonly signals: { close(): void } | undefined;
  /** Tools' servers. */
  readonly servers: { close(): Promise<void> };
  readonly counts: { close(): void } | undefined;
}

function assemble({ config, clock, log, role }: GatewayOptions, parts: Parts): Gateway {
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
    const drained = server.drain(left());
    const closed = Promise.allSettled([...attempts.values()].map(async (connection) => (await connection)?.closed));
    await Promise.race([closed, new Promise<void>((resolve) => void clock.after(left(), resolve))]);
    await Promise.all([core.drain(left()), serving.host.drain(left())]);
    await delegations.drain(left());
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
      url = config.server.publicUrl ?? listening.url;
      replicaAddress = await replicas?.listen();
      opened.describe({ address: listening.url, ...(await control.listen()) });
      await runtime.start();
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

/** One after the other: what one keeps again does no harm. */
function toAll(announces: readonly Announce[]): Announce {
  return async (facts) => {
    for (const announce of announces) await announce(facts);
  };
}

/** Nobody outside has a key: nothing answers there, agent cards included. */
function servedTo(config: Config, { server }: Serving): readonly HttpHandler[] {
  return config.a2a.keys.length === 0 ? [] : [server];
}

function nameOf({ channel, account }: Channel): string {
  return `${channel}/${account}`;
}

function answersHttp(channel: Channel): channel is Channel & HttpHandler {
  return channel.handle !== undefined && channel.paths !== undefined;
}

/** What answers every path comes last. */
function byCatchAll(a: HttpHandler, b: HttpHandler): number {
  return Number(a.paths.includes("/*")) - Number(b.paths.includes("/*"));
}
