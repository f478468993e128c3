/** One skilled agent as a process of its own: the same tasks and the same server as in the gateway, with data of its own. */
import { randomBytes, randomUUID } from "node:crypto";
import { createSafeFetch } from "../../adapters/fetch/index.ts";
import { createServer } from "../../adapters/http/index.ts";
import { createModels } from "../../adapters/models/index.ts";
import { listOfTask, type NestedRun } from "../delegation-nested.ts";
import { pushHandler, withLocalPush } from "../delegation-push.ts";
import { createRegistry } from "../registry.ts";
import type { Clock, Log } from "../ports.ts";
import type { PushSender } from "../task-push.ts";
import { createServing, type ServingOptions } from "./a2a.ts";
import { modelsSettings } from "./agents.ts";
import { countedDelegating, openBudgets } from "./budgets.ts";
import type { Config } from "./config.ts";
import { openCounts } from "./counts.ts";
import { openDelegations } from "./delegates.ts";
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

/** What it asks of others its own runs wait for: there is no person here. */
const tellsNobody = {
  prompt: () => Promise.reject(new Error("nobody is told of an agent's own tasks")),
  reaches: () => false,
};

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
  const counts = await openCounts(config, clock, log);
  const budgets = openBudgets({ config, runtime, clock, log, announce: undefined });
  const models = createModels(modelsSettings(config), { clock, log, sharedWindow: counts?.window, meter: budgets });
  const { spec: model } = config.model;
  const { publicUrl } = config.server;
  const library = await createLibrary(config, { clock, log });
  const delegating = (run: NestedRun) => countedDelegating(delegations.within(run), run, budgets);
  const deps = { records, blobs, safeFetch, clock, log, newId, models, model, library, publicUrl, delegating };
  const agent = makeSkill(kind, name, config.skills, deps);
  const secret = await opened.secret();
  const parts = { config, runtime, clock, log, secret, safeFetch, newId, signals: undefined };
  const sender = (outside: PushSender) => withLocalPush(outside, () => delegations);
  const erased: ServingOptions["erased"] = ({ agent: of, id }) => delegations.forget([listOfTask(of, id)]);
  const instance = randomUUID();
  const { server, host, add, grpc } = createServing({ ...parts, sender, erased, instance, alone: true });
  add(agent);
  const others = Object.keys(kinds).filter((one) => one !== name);
  const delegations = openDelegations({ ...parts, server, local: [], known: others, ...tellsNobody });
  runtime.jobs.handle(async (job, data) => {
    const known = (await host.run(job, data)) || (await delegations.run(job, data));
    if (!known) log.warn({ job }, "a job that nothing here knows is over");
  });
  runtime.invoked?.("/a2a", server.handle);
  let starting: string | undefined = "The agent is starting.";
  const http = createServer({
    host: config.server.host,
    port: config.server.port,
    channels: [server, pushHandler(() => delegations, log)],
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
    const drained = [http, grpc, host, delegations].map((one) => one.drain(left()));
    await Promise.all(drained);
    await budgets?.drain(Math.max(left(), stopMs));
    await library.knowledge.close();
    await runtime.stop(Math.max(left(), stopMs));
    counts?.close();
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
