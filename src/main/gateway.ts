/** The gateway put together: runtime, agents, channels, server; started in this order and stopped in the other. */
import { createHash, randomBytes, randomUUID } from "node:crypto";
import { openEmbedded, type EmbeddedRuntime } from "../../adapters/embedded/index.ts";
import { createSafeFetch } from "../../adapters/fetch/index.ts";
import { createServer, type HttpServer } from "../../adapters/http/index.ts";
import type { Channel, Connection, HttpHandler } from "../channel.ts";
import { createCore, type Core } from "../core.ts";
import { reasonOf } from "../errors.ts";
import type { Clock, Log } from "../ports.ts";
import { accountKey, accountsOf } from "./accounts.ts";
import { createAgents } from "./agents.ts";
import { channelKinds } from "./channels.ts";
import type { Config } from "./config.ts";
import { createControl } from "./control.ts";
import { pageDirectory } from "../../channels/web/page/build.ts";
import { createReadiness, type Readiness } from "./readiness.ts";
import { loadSecret } from "./secret.ts";

export interface Gateway {
  readonly url: string;
  readonly channels: readonly Channel[];
  readonly runtime: EmbeddedRuntime;
  readonly core: Core;
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
}

/** Opens the data and builds everything; nothing runs until {@link Gateway.start}. */
export async function openGateway({ config, clock, log }: GatewayOptions): Promise<Gateway> {
  const { blobBytes, blobDays } = config.limits;
  const limits = { blobBytes, blobMs: blobDays * 24 * 60 * 60 * 1_000 };
  const runtime = await openEmbedded({ directory: config.data, clock, log, limits });
  const secret = config.secret ?? loadSecret(config.data);
  const agents = createAgents({ config, clock, log, blobs: runtime.blobs });
  const channels = new Map<string, Channel>();
  const safeFetch = createSafeFetch({ allowHosts: config.webhooks.allowHosts });
  const core = createCore({
    runtime,
    clock,
    log,
    instance: randomUUID(),
    channelOf: (to) => channels.get(accountKey(to)),
    agentOf: (to) => agents.of(to),
    safeFetch,
    mostTurns: config.limits.turns,
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
        clock,
        log,
        newId: () => randomBytes(18).toString("base64url"),
        publicUrl: config.server.publicUrl,
        // Each account signs with a key of its own.
        secret: createHash("sha256")
          .update(`${secret}:${accountKey(ref)}`)
          .digest("base64url"),
      },
      { agent: agents.introduce(own.agent), pageDirectory, safeFetch },
    );
    channels.set(accountKey(ref), channel);
  }

  const all = [...channels.values()];
  const control = createControl({ runtime, core, channels: all, log });
  const readiness = createReadiness({ clock, log });
  const server = createServer({
    host: config.server.host,
    port: config.server.port,
    channels: all.filter(answersHttp).toSorted(byCatchAll),
    health: () => readiness.reason() ?? runtime.health(),
    log,
  });
  return assemble({ config, clock, log }, { runtime, core, channels: all, server, control, readiness });
}

/** What the last handlers get when the grace time is over. */
const stopMs = 500;

interface Parts {
  readonly runtime: EmbeddedRuntime;
  readonly core: Core;
  readonly channels: readonly Channel[];
  readonly server: HttpServer;
  readonly control: ReturnType<typeof createControl>;
  readonly readiness: Readiness;
}

function assemble(
  { config, clock, log }: GatewayOptions,
  { runtime, core, channels, server, control, readiness }: Parts,
): Gateway {
  const intake = new AbortController();
  const connections = new Map<string, Promise<Connection | undefined>>();
  let ready = Promise.resolve();
  let url = "";
  let stopped: Promise<void> | undefined;

  async function connect(channel: Channel): Promise<Connection | undefined> {
    const of = { channel: channel.channel, account: channel.account };
    try {
      const connection = await channel.connect?.(intake.signal);
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

  /** Within the grace time as a whole, whatever each step takes of it. */
  async function stop(): Promise<void> {
    const until = clock.monotonic() + config.server.graceSeconds * 1_000;
    const left = () => Math.max(0, until - clock.monotonic());
    intake.abort();
    const drained = server.drain(left());
    const closed = Promise.allSettled([...connections.values()].map(async (connection) => (await connection)?.closed));
    await Promise.race([closed, new Promise<void>((resolve) => void clock.after(left(), resolve))]);
    await core.drain(left());
    await drained;
    await runtime.stop(Math.max(left(), stopMs));
    for (const channel of channels) channel.close?.();
    await control.close();
  }

  return {
    get url() {
      return url;
    },
    channels,
    runtime,
    core,
    async start() {
      const listening = await server.listen();
      url = config.server.publicUrl ?? listening.url;
      runtime.describe({ address: listening.url, ...(await control.listen()) });
      await runtime.start();
      for (const channel of channels)
        if (channel.connect !== undefined) connections.set(`${channel.channel}/${channel.account}`, connect(channel));
      ready = readiness.connecting(connections);
    },
    ready: () => ready,
    stop: () => (stopped ??= stop()),
  };
}

function answersHttp(channel: Channel): channel is Channel & HttpHandler {
  return channel.handle !== undefined && channel.paths !== undefined;
}

/** What answers every path comes last. */
function byCatchAll(a: HttpHandler, b: HttpHandler): number {
  return Number(a.paths.includes("/*")) - Number(b.paths.includes("/*"));
}
