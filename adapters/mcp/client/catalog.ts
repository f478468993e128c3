/** What a server offers, as the operator lets it be offered: kept for a while, looked at again when the server says that it changed. */
import { createHash } from "node:crypto";
import type { Client } from "@modelcontextprotocol/sdk/client/index.js";
import type { Tool } from "@modelcontextprotocol/sdk/types.js";
import { z } from "zod";
import { ConflictError, reasonOf } from "../../../src/errors.ts";
import type { Clock, Log, Records } from "../../../src/ports.ts";
import { matchesName } from "../../../src/tool-policy.ts";
import type { ToolSpec } from "../../../src/tools.ts";
import type { McpServer } from "../settings.ts";
import { ownTools } from "./own-tools.ts";
import type { Session } from "./session.ts";

const keptMs = 5 * 60_000;
const mostTools = 256;
const mostPages = 20;
const pageMs = 8_000;
const longestDescription = 4_000;

export interface Offer {
  readonly spec: ToolSpec;
  /** As the server calls it; undefined: it is one of the gateway's own, for the server's resources and prompts. */
  readonly remote: string | undefined;
}

export interface Catalog {
  /** By the names that agents know. @throws where the server does not say. */
  offers(any: Any): Promise<ReadonlyMap<string, Offer>>;
  /** The server says that something is different now. */
  changed(): void;
}

/** Gives a connection to the work. */
type Any = (work: (session: Session) => Promise<ReadonlyMap<string, Offer>>) => Promise<ReadonlyMap<string, Offer>>;

export interface CatalogOptions {
  readonly name: string;
  readonly settings: McpServer;
  readonly records: Records;
  readonly clock: Clock;
  readonly log: Log;
}

export function createCatalog({ name, settings, records, clock, log }: CatalogOptions): Catalog {
  let known: { readonly offers: ReadonlyMap<string, Offer>; readonly at: number; readonly change: number } | undefined;
  let looking: Promise<ReadonlyMap<string, Offer>> | undefined;
  let change = 0;

  async function look({ client }: Session): Promise<ReadonlyMap<string, Offer>> {
    const begun = change;
    const capabilities = client.getServerCapabilities() ?? {};
    const tools = capabilities.tools === undefined ? [] : await toolsOf(client);
    const offers = new Map<string, Offer>();
    for (const spec of ownTools(capabilities))
      offers.set(spec.name, { spec: { ...spec, effect: effectOf(spec.name, spec.effect) }, remote: undefined });
    for (const tool of tools) add(offers, tool);
    for (const offered of offers.keys()) {
      if (!settings.tools.some((pattern) => matchesName(pattern, offered))) offers.delete(offered);
    }
    await compare(offers);
    known = { offers, at: clock.monotonic(), change: begun };
    return offers;
  }

  function add(offers: Map<string, Offer>, tool: Tool): void {
    const own = tool.name.replace(/[^A-Za-z0-9_-]/g, "_");
    if (offers.has(own)) {
      log.warn({ server: name, tool: own }, "an MCP tool is left out: another one has its name");
      return;
    }
    const { description = "", inputSchema, annotations } = tool;
    offers.set(own, {
      remote: tool.name,
      spec: {
        name: own,
        description: description.slice(0, longestDescription),
        parameters: inputSchema,
        effect: effectOf(own, annotated(annotations)),
      },
    });
  }

  /** The operator's word, then the server's where it is believed; of anything else it is not known that it may be done twice. */
  function effectOf(tool: string, claimed: ToolSpec["effect"]): ToolSpec["effect"] {
    const [, told] = Object.entries(settings.effects).find(([pattern]) => matchesName(pattern, tool)) ?? [];
    return told ?? (settings.trust ? claimed : "once");
  }

  /** Said once for all replicas: a tool that an operator or a person has come to trust is not what it was. */
  async function compare(offers: ReadonlyMap<string, Offer>): Promise<void> {
    const key = `mcp:tools:${name}`;
    try {
      const stored = await records.get(key);
      const before = stored === undefined ? {} : digests.parse(stored.value).tools;
      const now = Object.fromEntries([...offers].map(([tool, { spec }]) => [tool, digestOf(spec)]));
      const different = Object.keys(now).filter((tool) => before[tool] !== undefined && before[tool] !== now[tool]);
      const all = { ...before, ...now };
      if (JSON.stringify(all) === JSON.stringify(before)) return;
      const kept = Object.fromEntries(Object.entries(all).slice(-2 * mostTools));
      await records.put(key, { v: 1, tools: kept }, { etag: stored?.etag ?? null });
      if (different.length > 0)
        log.warn(
          { server: name, tools: different.slice(0, 20) },
          "MCP tools have another description or other parameters than before",
        );
    } catch (error) {
      // Another replica has just said it.
      if (!(error instanceof ConflictError))
        log.warn({ server: name, reason: reasonOf(error) }, "MCP tools were not compared with earlier ones");
    }
  }

  return {
    async offers(any) {
      const isFresh = known !== undefined && known.change === change && clock.monotonic() - known.at < keptMs;
      if (known !== undefined && isFresh) return known.offers;
      return (looking ??= any(look).finally(() => (looking = undefined)));
    },
    changed: () => void (change += 1),
  };
}

const digests = z.object({ v: z.literal(1), tools: z.record(z.string(), z.string()) });

function digestOf({ description, parameters }: ToolSpec): string {
  return createHash("sha256")
    .update(JSON.stringify([description, parameters]))
    .digest("base64url")
    .slice(0, 16);
}

function annotated(of: Tool["annotations"]): ToolSpec["effect"] {
  if (of?.readOnlyHint === true) return "none";
  return of?.idempotentHint === true ? "idempotent" : "once";
}

async function toolsOf(client: Client): Promise<Tool[]> {
  const tools: Tool[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < mostPages && tools.length < mostTools; page++) {
    const found = await client.listTools(cursor === undefined ? {} : { cursor }, { timeout: pageMs });
    tools.push(...found.tools);
    cursor = found.nextCursor;
    if (cursor === undefined) break;
  }
  return tools.slice(0, mostTools);
}
