/** The gateway as an MCP server, at /mcp: Streamable HTTP without sessions, so that any replica answers any request. */
import { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js";
import { createKeyring, keyName } from "../../../src/api-keys.ts";
import type { HttpHandler } from "../../../src/channel.ts";
import { reasonOf } from "../../../src/errors.ts";
import type { McpGateway } from "../settings.ts";
import { createGuard, type GuardOptions } from "./guard.ts";
import { createTools, type Caller, type ToolsOptions } from "./tools.ts";

export const mcpPath = "/mcp";
const mostBytes = 1024 * 1024;

export interface McpServerOptions extends Omit<ToolsOptions, "channel" | "send" | "waitMs"> {
  readonly settings: McpGateway;
  readonly reached: Pick<GuardOptions, "host" | "publicUrl">;
  /** By tenant. */
  readonly channelOf: (tenant: string) => ToolsOptions["channel"];
  readonly sendAs: (caller: Caller) => ToolsOptions["send"];
}

export function createMcpServer(options: McpServerOptions): HttpHandler {
  const { settings, reached, channelOf, sendAs, log } = options;
  const keys = createKeyring(
    settings.keys.map(({ key, ...caller }): [string, Caller] => [key, { id: keyName(key), ...caller }]),
  );
  const refusal = createGuard({ ...reached, hosts: settings.hosts, origins: settings.origins });

  async function answer(request: Request, caller: Caller): Promise<Response> {
    const server = createTools(caller, {
      ...options,
      channel: channelOf(caller.tenant),
      send: sendAs(caller),
      waitMs: settings.waitSeconds * 1_000,
    });
    const transport = new WebStandardStreamableHTTPServerTransport({ maxRequestBodySize: mostBytes });
    server.server.onerror = (error) =>
      log.debug({ caller: caller.name, kind: error.name }, "an MCP request has trouble");
    // Both belong to this request alone, and end with it.
    await server.connect(transport);
    return transport.handleRequest(request);
  }

  return {
    paths: [mcpPath],
    async handle(request) {
      const caller = keys.of(request.headers);
      if (caller === undefined) {
        const advice = 'The key is missing or wrong: send it as "Authorization: Bearer <key>".';
        return refuse(401, -32_001, advice, { "www-authenticate": "Bearer" });
      }
      const reason = refusal(request);
      if (reason !== undefined) return refuse(403, -32_000, reason);
      // Nothing is told without having been asked, and there is no session to end.
      if (request.method !== "POST") return refuse(405, -32_000, "Use POST.", { allow: "POST" });
      try {
        return await answer(request, caller);
      } catch (error) {
        log.error({ caller: caller.name, reason: reasonOf(error) }, "an MCP request failed");
        return refuse(500, -32_603, "That did not work, for a reason of the gateway's own: try again later.");
      }
    },
  };
}

/** As an error of JSON-RPC, which clients can read. */
function refuse(
  status: number,
  code: number,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return Response.json({ jsonrpc: "2.0", error: { code, message }, id: null }, { status, headers });
}
