/** The gateway put together: runtime, agents, channels, server; started in this order and stopped in the other. */
import { createHash, randomBytes, randomUUID } from "node:crypto";
import type { A2aServer } from "../../adapters/a2a/server.ts";
import { createSafeFetch } from "../../adapters/fetch/index.ts";
import { createModels } from "../../adapters/models/index.ts";
import { createServer, type HttpServer } from "../../adapters/http/index.ts";
import type { Channel, Connection, HttpHandler } from "../channel.ts";
import { createCore, type Core } from "../core.ts";
import type { Delegations } from "../delegation.ts";
import { pushHandler, withLocalPush } from "../delegation-push.ts";
import { createEffects } from "../effects.ts";
import { reasonOf } from "../errors.ts";
import { encodePart } from "../ids.ts";
import { underLease } from "../lease.ts";
import type { Clock, Log, Runtime, Signals } from "../ports.ts";
import { createServing, type Serving } from "./a2a.ts";
import { accountKey, accountsOf } from "./accounts.ts";
import { createAgents, modelsSettings } from "./agents.ts";
import { channelKinds } from "./channels.ts";
import type { Config } from "./config.ts";
import { createControl } from "./control.ts";
import { pageDirectory } from "../../channels/web/page/build.ts";
import { accessOf } from "./policies.ts";
import { openDelegations } from "./delegates.ts";
import { createReadiness, type Readiness } from "./readiness.ts";
import type { Role } from "./roles.ts";
import { openRuntime, type OpenedRuntime } from "./runtime.ts";
import type { PushSender } from "../task-push.ts";
import { createSkills, skillKinds } from "./skills.ts";
import { createSubscriptions, type Subscriptions } from "../subscriptions.ts";
import { subscribersOf } from "./subscribers.ts";

export interface Gateway {
  readonly url: string;
  readonly channels: readonly Channel[];
  readonly runtime: Runtime;
  readonly core: Core;
  readonly subscriptions: Subscriptions;
  /** The agents by A2A, without a socket: `fetch` for what in this process asks them, with {@link internalHeaders}. */
  readonly a2a: Pick<A2aServer, "handle" | "chainName">;
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
  const signals = config.redis.url === undefined ? undefined : await openSignals(config.redis.url, instance, log);
  const newId = () => randomBytes(18).toString("base64url");
  const sender = (outside: PushSender) => withLocalPush(outside, () => delegations);
  const serving = createServing({ config, runtime, clock, log, instance, secret, safeFetch, signals, newId, sender });
  runtime.invoked?.("/a2a", serving.server.handle);
  const { records, blobs } = runtime;
  const models = createModels(modelsSettings(config), { clock });
  const skillDeps = { records, blobs, safeFetch, clock, log, newId, models, model: config.model.spec };
  const skilled = createSkills(skillKinds, config.skills, skillDeps);
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
  const outside = { sources: [delegations.source], effects: createEffects(records, clock) };
  const agents = createAgents({ config, clock, log, blobs, outside });
  const subscribers = subscribersOf(config, { safeFetch, clock, bindings: runtime.bindings });
  const subscriptions = createSubscriptions({ runtime, clock, log, subscribers });
  runtime.jobs.handle(async (job, data) => {
    const known =
      (await subscriptions.run(job, data)) ||
      (await core.approvals.run(job, data)) ||
      (await serving.host.run(job, data)) ||
      (await delegations.run(job, data));
    if (!known) log.warn({ job }, "a job that nothing here knows is over");
  });
  const core = createCore({
    runtime,
    clock,
    log,
    instance,
    channelOf: (to) => channels.get(accountKey(to)),
    agentOf: (to) => agents.of(to),
    access: accessOf(config),
    safeFetch,
    mostTurns: config.limits.turns,
    delivers: role !== "agents",
    delegations,
    ...(subscribers.length === 0 ? {} : { announce: subscriptions.announce }),
  });
  for (const { name, account, settings, own } of accountsOf(config)) {
    const ref = { tenant: own.tenant, channel: name, account };
    const channel = channelKinds[name].make(
      settings,
      {
        ...ref,
        inbound: core.inbound,
        records: runtime.records,
        transcript: runtime.transcript,
        blobs: runtime.blobs,
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
        safeFetch,
        groups: own.groups,
        data: config.data,
        profiles: agents.profiles,
        host: serving.add,
      },
    );
    channels.set(accountKey(ref), channel);
    const { binding, take } = channel;
    if (binding === undefined || take === undefined) continue;
    if (runtime.bindings === undefined)
      throw new Error(
        `${name}/${account} takes from the binding "${binding}": set ASCENT_RUNTIME=dapr, or leave it out.`,
      );
    runtime.bindings.take(binding, take);
  }

  const all = [...channels.values()];
  const control = createControl({ runtime, core, subscriptions, channels: all, log });
  const readiness = createReadiness({ clock, log });
  const server = createServer({
    host: config.server.host,
    port: config.server.port,
    channels:
      role === "agents"
        ? []
        : [pushHandler(() => delegations, log), ...servedTo(config, serving), ...all.filter(answersHttp)].toSorted(
            byCatchAll,
          ),
    health: () => readiness.reason() ?? runtime.health(),
    log,
  });
  const connects = role === "agents" ? [] : all.filter((channel) => channel.connect !== undefined);
  return assemble(
    { config, clock, log },
    {
      opened,
      core,
      subscriptions,
      serving,
      delegations,
      instance,
      channels: all,
      connects,
      server,
      control,
      readiness,
      signals,
    },
  );
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
  readonly instance: string;
  readonly channels: readonly Channel[];
  /** Those of them that hold a socket or poll, here. */
  readonly connects: readonly Channel[];
  readonly server: HttpServer;
  readonly control: ReturnType<typeof createControl>;
  readonly readiness: Readiness;
  readonly signals: { close(): void } | undefined;
}

function assemble(
  { config, clock, log }: GatewayOptions,
  {
    opened,
    core,
    subscriptions,
    serving,
    delegations,
    instance,
    channels,
    connects,
    server,
    control,
    readiness,
    signals,
  }: Parts,
): Gateway {
  const { runtime } = opened;
  const intake = new AbortController();
  const connections = new Map<string, Promise<Connection | undefined>>();
  let ready = Promise.resolve();
  let url = "";
  let stopped: Promise<void> | undefined;

  async function connect(channel: Channel): Promise<Connection | undefined> {
    const of = { channel: channel.channel, account: channel.account };
    try {
      const connection = await (runtime.actors.exclusive ? channel.connect?.(intake.signal) : leased(channel));
      if (connection === undefined) return undefined;
      log.info(of, "channel connected");
      connection.closed.catch((error: unknown) => {
        log.error({ ...of, reason: reasonOf(error) }, "channel lost its connection for good and stays off");
      });
      return connection;
    } catch (error) {
      // One account's trouble is not another's: the gateway goes on without it, and `ascent doctor` explains.
      if (!intake.signal.aborted) log.error({ ...of, reason: reasonOf(error) }, "channel cannot connect and stays off");
      return undefined;
    }
  }

  /** Where there may be other replicas, one holds the socket: connected means that this one does, or stands by. */
  function leased(channel: Channel): Promise<Connection> {
    const name = [channel.tenant, channel.channel, channel.account].map(encodePart).join(":");
    const lease = { records: runtime.records, clock, log, instance, leaseMs: config.dapr.leaseSeconds * 1_000 };
    const first = Promise.withResolvers<void>();
    const closed = underLease(name, lease, intake.signal, async (signal) => {
      const connection = await channel.connect?.(signal);
      first.resolve();
      await connection?.closed;
    });
    closed.catch(first.reject);
    clock.after(config.dapr.leaseSeconds * 1_000, first.resolve);
    return first.promise.then(() => ({ closed }));
  }

  /** Within the grace time as a whole, whatever each step takes of it. */
  async function stop(): Promise<void> {
    const until = clock.monotonic() + config.server.graceSeconds * 1_000;
    const left = () => Math.max(0, until - clock.monotonic());
    intake.abort();
    const drained = server.drain(left());
    const closed = Promise.allSettled([...connections.values()].map(async (connection) => (await connection)?.closed));
    await Promise.race([closed, new Promise<void>((resolve) => void clock.after(left(), resolve))]);
    await Promise.all([core.drain(left()), serving.host.drain(left())]);
    await delegations.drain(left());
    await drained;
    await runtime.stop(Math.max(left(), stopMs));
    for (const channel of channels) channel.close?.();
    signals?.close();
    await control.close();
  }

  return {
    get url() {
      return url;
    },
    channels,
    runtime,
    core,
    subscriptions,
    a2a: serving.server,
    async start() {
      const listening = await server.listen();
      url = config.server.publicUrl ?? listening.url;
      opened.describe({ address: listening.url, ...(await control.listen()) });
      await runtime.start();
      subscriptions.resume().catch((error: unknown) => {
        log.warn({ reason: reasonOf(error) }, "webhooks that wait could not be looked for");
      });
      for (const channel of connects) connections.set(`${channel.channel}/${channel.account}`, connect(channel));
      ready = readiness.connecting(connections);
    },
    ready: () => ready,
    stop: () => (stopped ??= stop()),
  };
}

/** Nobody outside has a key: nothing answers there, agent cards included. */
function servedTo(config: Config, { server }: Serving): readonly HttpHandler[] {
  return config.a2a.keys.length === 0 ? [] : [server];
}

function answersHttp(channel: Channel): channel is Channel & HttpHandler {
  return channel.handle !== undefined && channel.paths !== undefined;
}

/** What answers every path comes last. */
function byCatchAll(a: HttpHandler, b: HttpHandler): number {
  return Number(a.paths.includes("/*")) - Number(b.paths.includes("/*"));
}
