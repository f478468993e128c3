/** The gateway put together: runtime, agents, channels, server; started in this order and stopped in the other. */
import { createHmac, randomBytes, randomUUID } from "node:crypto";
import { createSafeFetch } from "../../adapters/fetch/index.ts";
import { createServer } from "../../adapters/http/index.ts";
import { createModels } from "../../adapters/models/index.ts";
import type { Announce } from "../announce.ts";
import type { Channel, HttpHandler } from "../channel.ts";
import { createBelongings } from "../belongings.ts";
import { createCore, type Core, type CoreOptions } from "../core.ts";
import { createConnections } from "../connections.ts";
import { pushHandler } from "../delegation-push.ts";
import { createEffects } from "../effects.ts";
import { operationsOf, type Operated } from "../operations.ts";
import type { AccountRef } from "../ids.ts";
import type { Log, Signals } from "../ports.ts";
import type { Serving } from "./a2a.ts";
import { accountKey } from "./accounts.ts";
import { loadAgentModules, ownTools } from "./agent-modules.ts";
import { createAgents, modelsSettings } from "./agents.ts";
import { openBudgets } from "./budgets.ts";
import type { Config } from "./config.ts";
import { consoleOf } from "./console.ts";
import { createControl } from "./control.ts";
import { openCounts } from "./counts.ts";
import { openMcpGateway } from "./mcp.ts";
import { openMissions } from "./missions.ts";
import { accessOf } from "./policies.ts";
import { createReadiness } from "./readiness.ts";
import { createReplicas, replicaToken } from "./replicas.ts";
import { openRuntime } from "./runtime.ts";
import { createSubscriptions } from "../subscriptions.ts";
import { subscribersOf } from "./subscribers.ts";
import { turnPlaces } from "./tenants.ts";
import { openAmongAgents } from "./among-agents.ts";
import { openChannels } from "./open-channels.ts";
import { assemble, type Gateway, type GatewayOptions } from "./running.ts";

/** Opens the data and builds everything; nothing runs until {@link Gateway.start}. */
export async function openGateway({ config, clock, log, role = "all" }: GatewayOptions): Promise<Gateway> {
  const modules = await loadAgentModules(config);
  const opened = await openRuntime(config, role, clock, log);
  const { runtime } = opened;
  const instance = randomUUID();
  const secret = await opened.secret();
  const channels = new Map<string, Channel>();
  const safeFetch = createSafeFetch({ allowHosts: config.webhooks.allowHosts });
  const signals = config.redis.url === undefined ? undefined : await openSignals(config.redis.url, instance, log);
  const counts = await openCounts(config, clock, log);
  const announce: Announce = async (facts) => {
    if (subscribers.length > 0) await subscriptions.announce(facts);
  };
  const budgets = openBudgets({ config, runtime, clock, log, announce });
  const models = createModels(modelsSettings(config), { clock, log, sharedWindow: counts?.window, meter: budgets });
  const newId = () => randomBytes(18).toString("base64url");
  const reaches = (to: AccountRef) => channels.get(accountKey(to))?.reach !== undefined;
  const among = await openAmongAgents({
    config,
    runtime,
    clock,
    log,
    instance,
    secret,
    safeFetch,
    signals,
    newId,
    models,
    meter: budgets,
    prompt: (...of) => core.proactive.prompt(...of),
    toMission: (...of) => missions.told(...of),
    reaches,
  });
  const { serving, delegations, servers, library } = among;
  const belongings = createBelongings(runtime, clock);
  const { records, blobs } = runtime;
  const effects = createEffects({ records, clock, log, belongings });
  const { chainName } = serving.server;
  const given = { config, runtime, clock, log, belongings, delegations, chainName, reaches, core: () => core };
  const missions = openMissions(given);
  const own = ownTools(modules);
  const sources = [own, ...among.sources, missions.source].filter((source) => source !== undefined);
  const outside = { sources, effects, meter: budgets };
  const agents = createAgents({ config, models, clock, log, blobs, outside, modules });
  const subscribers = subscribersOf(config, { safeFetch, clock, bindings: runtime.bindings });
  const subscriptions = createSubscriptions({ runtime, belongings, clock, log, subscribers });
  runtime.jobs.handle(async (job, data) => {
    const known =
      (await subscriptions.run(job, data)) ||
      (await core.approvals.run(job, data)) ||
      (await core.takeovers.run(job, data)) ||
      (await serving.host.run(job, data)) ||
      (await delegations.run(job, data)) ||
      (await missions.run(job, data));
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
    agentOf: agents.of,
    offered: agents.offered,
    access: { ...accessOf(config), counts },
    safeFetch,
    places: turnPlaces(config),
    delivers: role !== "agents",
    delegations,
    missions,
    budgets,
    takeover: takeoverOf(config),
    feedback: feedbackOf(config, secret),
    erase: mcp?.erase,
    ...(announces.length === 0 ? {} : { announce: toAll(announces) }),
  });
  const token = replicaToken(secret);
  const held = await openChannels(channels, {
    config,
    runtime,
    clock,
    log,
    instance,
    secret,
    token,
    safeFetch,
    signals,
    newId,
    core,
    belongings,
    agents,
    serving,
  });
  for (const channel of mcp?.channels ?? []) channels.set(accountKey(channel), channel);
  const all = [...channels.values()];
  const connections = createConnections({ records, clock, log, instance, shared: !runtime.actors.exclusive });
  for (const channel of all) connections.watch(channel);
  const operated: Operated = {
    runtime,
    core,
    missions: missions.operations,
    subscriptions,
    connections,
    channels: all,
    budgets,
    log,
  };
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
      grpc: role === "agents" || config.a2a.keys.length === 0 ? undefined : serving.grpc,
      replicas,
      control,
      readiness,
      signals,
      servers,
      library,
      counts,
      budgets,
    },
  );
}

function takeoverOf({ takeover: { waitSeconds, silentSeconds } }: Config) {
  const silentMs = silentSeconds === "off" ? undefined : silentSeconds * 1_000;
  return { waitMs: waitSeconds === "off" ? 0 : waitSeconds * 1_000, silentMs };
}

function feedbackOf({ feedback: { enabled, asks, days, up, down } }: Config, secret: string): CoreOptions["feedback"] {
  if (!enabled) return undefined;
  return {
    emoji: { up, down },
    asks,
    keptMs: days * 24 * 3_600_000,
    // Whoever has the ratings and a list of people cannot tell whose they are without the secret.
    pseudonymOf: (person) => createHmac("sha256", `ratings ${secret}`).update(person).digest("base64url").slice(0, 16),
  };
}

async function openSignals(url: string, instance: string, log: Log): Promise<Signals & { close(): void }> {
  const { connectSignals } = await import("../../adapters/redis/index.ts");
  return connectSignals({ url, instance, log });
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

function answersHttp(channel: Channel): channel is Channel & HttpHandler {
  return channel.handle !== undefined && channel.paths !== undefined;
}

/** What answers every path comes last. */
function byCatchAll(a: HttpHandler, b: HttpHandler): number {
  return Number(a.paths.includes("/*")) - Number(b.paths.includes("/*"));
}
