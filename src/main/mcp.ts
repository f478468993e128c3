/** MCP on both sides, where it is configured: its SDK is loaded then, and not before. */
import { randomBytes } from "node:crypto";
import type { Holdings } from "../agent-calls.ts";
import type { Announce } from "../announce.ts";
import type { Belongings } from "../belongings.ts";
import type { Channel, HttpHandler } from "../channel.ts";
import type { Core, CoreOptions } from "../core.ts";
import type { SafeFetch } from "../fetch.ts";
import { operationsOf, type Operated } from "../operations.ts";
import type { Clock, Log, Runtime } from "../ports.ts";
import type { ToolSource } from "../tools.ts";
import type { Config } from "./config.ts";

export interface McpOptions {
  readonly config: Config;
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly log: Log;
}

/** Servers as sources of tools. */
export async function openMcpClients({ config, runtime, clock, log }: McpOptions, safeFetch: SafeFetch) {
  const servers = config.mcp;
  if (Object.keys(servers).length === 0) return { sources: [] as readonly ToolSource[], close: async () => undefined };
  const { createMcpClients } = await import("../../adapters/mcp/client/index.ts");
  const { records, blobs } = runtime;
  return createMcpClients({ servers, safeFetch, records, blobs, clock, log });
}

interface McpGatewayParts {
  /** By their names in the configuration. */
  readonly agents: readonly string[];
  readonly belongings: Belongings;
  readonly core: () => Core;
}

/** The gateway as a server. */
export interface McpGateway {
  /** What questions come in by; one for each tenant. */
  readonly channels: readonly Channel[];
  readonly announce: Announce;
  readonly erase: NonNullable<CoreOptions["erase"]>;
  handler(operated: Operated): HttpHandler;
}

export async function openMcpGateway(
  { config, runtime, clock, log }: McpOptions,
  { agents, belongings, core }: McpGatewayParts,
): Promise<McpGateway | undefined> {
  const settings = config.mcpServer;
  if (settings.keys.length === 0) return undefined;
  const [{ createMcpServer }, { createAskChannel }, { createConversations }] = await Promise.all([
    import("../../adapters/mcp/server/index.ts"),
    import("../../adapters/mcp/server/ask.ts"),
    import("../../adapters/mcp/server/conversations.ts"),
  ]);
  const { records, actors } = runtime;
  const holdings = (agent: Parameters<typeof actors.call>[0]) =>
    actors.call(agent, "holdings", {}) as Promise<Holdings>;
  const conversations = createConversations({ records, clock, holdings });
  const asking = settings.keys.filter(({ scopes }) => scopes.includes("ask")).map(({ tenant }) => tenant);
  const channels = new Map(
    [...new Set(asking)].map((tenant) => {
      const account = { tenant, channel: "mcp", account: "main" };
      return [tenant, createAskChannel({ account, records, clock, belongings, core })] as const;
    }),
  );
  return {
    channels: [...channels.values()],
    announce: (facts) => conversations.note(facts),
    erase: (gone) => conversations.erase(gone),
    handler: (operated) =>
      createMcpServer({
        settings,
        reached: { host: config.server.host, publicUrl: config.server.publicUrl },
        agents,
        channelOf: (tenant) => channels.get(tenant),
        conversations,
        sendAs: ({ name, tenant }) => {
          const { send } = operationsOf(operated, { name, tenant });
          return (order) => send({ topic: `note from ${name}`, ...order });
        },
        newId: () => randomBytes(18).toString("base64url"),
        clock,
        log,
      }),
  };
}
