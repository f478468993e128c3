/** A Python server of the official SDK, and our clients of it. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { onTestFinished } from "vitest";
import { createSafeFetch } from "../../adapters/fetch/index.ts";
import { createMcpClients } from "../../adapters/mcp/client/index.ts";
import { mcpServer, type McpServer } from "../../adapters/mcp/settings.ts";
import type { AgentId, TurnId } from "../../src/ids.ts";
import type { Log } from "../../src/ports.ts";
import type { ToolCall, ToolSource } from "../../src/tools.ts";
import { ann, direct, memoryBlobs, memoryRecords, quiet, testClock } from "../unit/client-agent.fixture.ts";
import { pythonWith } from "./python.ts";

export const script = join(import.meta.dirname, "mcp-server.py");

export const pythonForMcp = (python: string): Promise<string> =>
  pythonWith(python, join(import.meta.dirname, "mcp-requirements.txt"));

/** A folder where the server says what it did. */
export async function notebook() {
  const folder = await mkdtemp(join(tmpdir(), "ascent-mcp-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return {
    folder,
    /** What was called, with key and process. */
    async calls(): Promise<{ word: string; key: string; pid: number }[]> {
      const text = await readFile(join(folder, "calls"), "utf8").catch(() => "");
      return text
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => {
          const parts = line.split(" ");
          return { word: parts.slice(0, -2).join(" "), key: parts.at(-2) ?? "", pid: Number(parts.at(-1)) };
        });
    },
  };
}

/** The server over HTTP, on one port in all its lives. */
export async function httpServer(python: string, folder: string, ...flags: string[]) {
  const port = await freePort();
  let child: ChildProcess | undefined;
  const server = {
    url: `http://127.0.0.1:${port}/mcp`,
    async start() {
      child = spawn(python, [script, folder, String(port), ...flags], { stdio: "ignore" });
      for (let tries = 0; tries < 400; tries++) {
        const answer = await fetch(server.url, { method: "POST", body: "{}" }).catch(() => undefined);
        await answer?.body?.cancel();
        if (answer !== undefined) return;
        await sleep(50);
      }
      throw new Error("the MCP server does not start");
    },
    async kill() {
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, "close");
      child.kill("SIGKILL");
      await gone;
    },
  };
  onTestFinished(() => server.kill());
  await server.start();
  return server;
}

async function freePort(): Promise<number> {
  const taken = createServer().listen(0, "127.0.0.1");
  await once(taken, "listening");
  const { port } = taken.address() as { port: number };
  taken.close();
  await once(taken, "close");
  return port;
}

export function settingsOf(given: Record<string, unknown>): McpServer {
  return mcpServer.parse(given);
}

/** One gateway's side of a server: its source, what it keeps, and what it logs. */
export function clientOf(settings: McpServer, rest: { readonly records?: ReturnType<typeof memoryRecords> } = {}) {
  const lines: string[] = [];
  const write = (fields: unknown, message: string) => void lines.push(JSON.stringify([message, fields]));
  const log: Log = { ...quiet, debug: write, info: write, warn: write, error: write };
  const blobs = memoryBlobs();
  const records = rest.records ?? memoryRecords();
  const safeFetch = createSafeFetch();
  const clients = createMcpClients({ servers: { test: settings }, safeFetch, records, blobs, clock: testClock(), log });
  onTestFinished(() => clients.close());
  return { source: clients.sources[0] as ToolSource, close: clients.close, blobs, records, lines };
}

let calls = 0;
export function callOf(args: unknown, rest: Partial<ToolCall> = {}): ToolCall {
  calls += 1;
  return {
    ...callerOf("assistant"),
    key: `key-${calls}`,
    args,
    signal: new AbortController().signal,
    progress: () => undefined,
    files: [],
    chain: [],
    ...rest,
  };
}

export function callerOf(agentName: string) {
  return { agent: "person:1" as AgentId, agentName, to: direct, participant: ann, turn: "t1" as TurnId };
}

export const forever = (): AbortSignal => new AbortController().signal;

export async function until<Value>(
  what: string,
  look: () => Promise<Value | undefined>,
  mostMs = 20_000,
): Promise<Value> {
  const end = performance.now() + mostMs;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() > end) throw new Error(`${what}: not within ${mostMs} ms`);
    await sleep(25);
  }
}
