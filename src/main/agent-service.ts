/** One skilled agent as a process of its own: the same tasks and the same server as in the gateway, with data of its own. */
import { randomBytes, randomUUID } from "node:crypto";
import { createSafeFetch } from "../../adapters/fetch/index.ts";
import { createServer } from "../../adapters/http/index.ts";
import { createModels } from "../../adapters/models/index.ts";
import { createRegistry } from "../registry.ts";
import type { Clock, Log } from "../ports.ts";
import { createServing } from "./a2a.ts";
import { modelsSettings } from "./agents.ts";
import type { Config } from "./config.ts";
import { createLibrary, prepareKnowledge } from "./library.ts";
import { openRuntime } from "./runtime.ts";
import { makeSkill, skillKinds, skillOf, type SkillKinds } from "./skills.ts";

export interface AgentService {
  /** Listens, and takes up what waits. @returns its address. */
  start(): Promise<string>;
  stop(): Promise<void>;
}

export interface AgentServiceOptions {
  readonly config: Config;
  readonly name: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly kinds?: SkillKinds;
}

/** What the last handlers get when the grace time is over. */
const stopMs = 500;

/** @throws Error that says what to do where there is no such agent, or nobody could ask it. */
export async function openAgentService(options: AgentServiceOptions): Promise<AgentService> {
  const { config, name, clock, log, kinds = skillKinds } = options;
  if (config.runtime === "embedded" && config.a2a.keys.length === 0 && config.secret === undefined)
    throw new Error(
      "Nobody could ask this agent: set ASCENT_A2A_KEYS, or give it and the gateway the same ASCENT_SECRET.",
    );
  const kind = skillOf(kinds, name);
  const opened = await openRuntime(config, "all", clock, log, name);
  const { runtime } = opened;
  const { records, blobs } = runtime;
  const safeFetch = createSafeFetch({ allowHosts: config.webhooks.allowHosts });
  const newId = () => randomBytes(18).toString("base64url");
  const models = createModels(modelsSettings(config), { clock });
  const { spec: model } = config.model;
  const { publicUrl } = config.server;
  const library = await createLibrary(config, { clock, log });
  const deps = { records, blobs, safeFetch, clock, log, newId, models, model, library, publicUrl };
  const agent = makeSkill(kind, name, config.skills, deps);
  const secret = await opened.secret();
  const parts = { config, runtime, clock, log, secret, safeFetch, newId, signals: undefined };
  const { server, host, add, grpc } = createServing({ ...parts, instance: randomUUID(), alone: true });
  add(agent);
  runtime.jobs.handle(async (job, data) => {
    if (!(await host.run(job, data))) log.warn({ job }, "a job that nothing here knows is over");
  });
  runtime.invoked?.("/a2a", server.handle);
  let starting: string | undefined = "The agent is starting.";
  const http = createServer({
    host: config.server.host,
    port: config.server.port,
    channels: [server],
    health: () => starting ?? runtime.health(),
    log,
  });
  let leave = async () => {};
  let stopped: Promise<void> | undefined;

  async function stop(): Promise<void> {
    const graceMs = config.server.graceSeconds * 1_000;
    const until = clock.monotonic() + graceMs;
    const left = () => Math.max(0, until - clock.monotonic());
    await leave();
    await Promise.all([http.drain(left()), grpc.drain(left()), host.drain(left())]);
    await library.knowledge.close();
    await runtime.stop(Math.max(left(), stopMs));
  }

  return {
    async start() {
      const listening = await http.listen();
      await grpc.listen(listening.url);
      await runtime.start();
      prepareKnowledge(library, log);
      const address = config.server.publicUrl ?? listening.url;
      // Only there are its records the gateway's too.
      const app = runtime.appId?.();
      if (app !== undefined) leave = createRegistry({ records, clock, log }).register({ name, address, app });
      starting = undefined;
      return address;
    },
    stop: () => (stopped ??= stop()),
  };
}
