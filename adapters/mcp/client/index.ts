/** MCP servers that the configuration names, as sources of tools. */
import { untilAborted } from "../../../src/abort.ts";
import { InputError, reasonOf } from "../../../src/errors.ts";
import type { SafeFetch } from "../../../src/fetch.ts";
import type { Blobs, Clock, Log, Records } from "../../../src/ports.ts";
import { blobsOf } from "../../../src/tenant-blobs.ts";
import type { ToolCall, ToolCaller, ToolResult, ToolSource } from "../../../src/tools.ts";
import type { McpServer } from "../settings.ts";
import { CallTimeout, callOn, outcomeOf } from "./call.ts";
import { createCatalog, type Offer } from "./catalog.ts";
import { createPool } from "./pool.ts";
import { resultOf } from "./results.ts";
import { authOf, openSession, type Session } from "./session.ts";

export interface McpClientOptions {
  readonly servers: Readonly<Record<string, McpServer>>;
  readonly safeFetch: SafeFetch;
  readonly records: Records;
  readonly blobs: Blobs;
  readonly clock: Clock;
  readonly log: Log;
}

export interface McpClients {
  readonly sources: readonly ToolSource[];
  /** Ends connections and the processes behind them. */
  close(): Promise<void>;
}

/** For the tools, of one turn. */
const patienceMs = 8_000;

/** Nothing is connected until an agent's turn asks for the tools. */
export function createMcpClients(options: McpClientOptions): McpClients {
  const all = Object.entries(options.servers).map(([name, settings]) => createSource(name, settings, options));
  return {
    sources: all,
    async close() {
      await Promise.all(all.map((source) => source.close()));
    },
  };
}

function createSource(
  name: string,
  settings: McpServer,
  { safeFetch, records, blobs, clock, log }: McpClientOptions,
): ToolSource & { close(): Promise<void> } {
  const catalog = createCatalog({ name, settings, records, clock, log });
  const auth = authOf(settings);
  /** Since when a connection is being made. */
  let connecting: number | undefined;
  const open = async (signal: AbortSignal) => {
    const changed = () => catalog.changed();
    // What it offered on the last connection may be offered no more.
    changed();
    connecting ??= clock.monotonic();
    try {
      return await openSession({ name, settings, auth, safeFetch, clock, log, changed }, signal);
    } finally {
      connecting = undefined;
    }
  };
  const pool = createPool({
    name,
    exclusive: settings.asks,
    open,
    breaks: (error) => outcomeOf(error) === "undone",
    clock,
    log,
  });
  const mayUse = ({ agentName }: ToolCaller) => settings.agents?.includes(agentName) !== false;

  async function offers(): Promise<ReadonlyMap<string, Offer>> {
    try {
      return await catalog.offers((work) => pool.any(work));
    } catch (error) {
      if (error instanceof InputError) throw error;
      log.warn({ server: name, kind: kindOf(error) }, "an MCP server does not tell its tools");
      throw new InputError(`the server "${name}" cannot be reached now`, { cause: error });
    }
  }

  async function offerOf(tool: string, caller: ToolCaller): Promise<Offer> {
    const offer = mayUse(caller) ? (await offers()).get(tool) : undefined;
    if (offer === undefined) throw new InputError(`the server "${name}" has no such tool now`);
    return offer;
  }

  async function once(session: Session, call: ToolCall, tool: string, { remote }: Offer): Promise<ToolResult> {
    const result = await callOn(session, call, { source: name, settings, clock, remote, name: tool });
    return resultOf(result, blobsOf(blobs, call.to.tenant), settings.resultBytes);
  }

  return {
    name,
    needs: settings.needs,
    async list(caller, signal) {
      // One turn waits for a server that takes long to start; those after it have its tools once it is there.
      const leftMs = patienceMs - (connecting === undefined ? 0 : clock.monotonic() - connecting);
      if (!mayUse(caller) || leftMs <= 0) return [];
      try {
        const all = await untilAborted(offers(), AbortSignal.any([signal, AbortSignal.timeout(leftMs)]));
        return [...all.values()].map(({ spec }) => spec);
      } catch {
        // Said in the log where it was found.
        return [];
      }
    },
    async call(tool, call) {
      const offer = await untilAborted(offerOf(tool, call), call.signal);
      for (let attempt = 1; ; attempt++) {
        try {
          return await pool.use((session) => once(session, call, tool, offer), call.signal);
        } catch (error) {
          if (call.signal.aborted || error instanceof InputError) throw error;
          const outcome = outcomeOf(error);
          const mayAgain = outcome === "undone" || (outcome === "unknown" && offer.spec.effect !== "once");
          if (attempt === 1 && mayAgain && !(error instanceof CallTimeout)) continue;
          log.warn({ server: name, tool, kind: kindOf(error) }, "a call of an MCP tool failed");
          return failed(error, outcome, offer);
        }
      }
    },
    close: () => pool.close(),
  };

  function failed(error: unknown, outcome: ReturnType<typeof outcomeOf>, { spec }: Offer): ToolResult {
    if (outcome === "undone") throw new InputError(`the server "${name}" did not take the call`, { cause: error });
    if (outcome === "answered") return { text: reasonOf(error).slice(0, 2_000), failed: true };
    const why =
      error instanceof CallTimeout
        ? `no answer within ${settings.timeoutSeconds} seconds`
        : "the connection broke off, or the answer was too large";
    const done = spec.effect === "none" ? "" : ". Nobody knows whether it was done: do not try it again, and say so";
    return { text: `${why}${done}`, failed: true };
  }
}

/** Without the server's own words. */
function kindOf(error: unknown): string {
  return error instanceof Error ? error.name : typeof error;
}
