/** What the gateway's agents have to do with others: they serve and are served by A2A, and use the tools of MCP servers. */
import type { Models } from "../../adapters/models/index.ts";
import type { Delegations } from "../delegation.ts";
import { listOfTask, type NestedRun } from "../delegation-nested.ts";
import { withLocalPush } from "../delegation-push.ts";
import type { PushSender } from "../task-push.ts";
import type { ToolSource } from "../tools.ts";
import { createServing, type Serving, type ServingOptions } from "./a2a.ts";
import type { Meter } from "../budgets.ts";
import { countedDelegating } from "./budgets.ts";
import { openDelegations, type DelegationsOptions } from "./delegates.ts";
import { createLibrary, type Library } from "./library.ts";
import { openMcpClients } from "./mcp.ts";
import { createSkills, skillKinds } from "./skills.ts";

export interface AmongAgents {
  readonly serving: Serving;
  readonly delegations: Delegations;
  /** Those whose tools the agents use. */
  readonly servers: { close(): Promise<void> };
  readonly library: Library;
  readonly sources: readonly ToolSource[];
}

export type AmongAgentsOptions = Omit<ServingOptions, "sender" | "alone" | "erased"> &
  Pick<DelegationsOptions, "prompt" | "toMission" | "reaches"> & {
    readonly models: Models;
    readonly meter: Meter | undefined;
  };

export async function openAmongAgents(options: AmongAgentsOptions): Promise<AmongAgents> {
  const { config, runtime, clock, log, safeFetch, secret, newId, models, meter, prompt, toMission, reaches } = options;
  const servers = await openMcpClients({ config, runtime, clock, log }, safeFetch);
  const sender = (outside: PushSender) => withLocalPush(outside, () => delegations);
  const serving = createServing({
    ...options,
    sender,
    // Their own ones alone: those of the caller are whoever's who erases them all, or two that ask each other would never end.
    erased: ({ agent, id }) => delegations.forget([listOfTask(agent, id)]),
  });
  runtime.invoked?.("/a2a", serving.server.handle);
  const { records, blobs } = runtime;
  const { spec: model } = config.model;
  const { publicUrl } = config.server;
  const library = await createLibrary(config, { clock, log });
  const delegating = (run: NestedRun) => countedDelegating(delegations.within(run), run, meter);
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
    prompt,
    toMission,
    reaches,
  });
  return { serving, delegations, servers, library, sources: [delegations.source, ...servers.sources] };
}
