/** One connection to a server: made once, used until it is lost. */
import { ClientCredentialsProvider } from "@modelcontextprotocol/sdk/client/auth-extensions.js";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import {
  ElicitRequestSchema,
  PromptListChangedNotificationSchema,
  ResourceListChangedNotificationSchema,
  ToolListChangedNotificationSchema,
  type ElicitRequestFormParams,
  type ElicitResult,
} from "@modelcontextprotocol/sdk/types.js";
import { reasonOf } from "../../../src/errors.ts";
import type { SafeFetch } from "../../../src/fetch.ts";
import type { Clock, Log } from "../../../src/ports.ts";
import type { HttpServer, McpServer, StdioServer } from "../settings.ts";
import { createFetch } from "./http.ts";

/** A process may have to be installed first. */
const connectMs = { stdio: 60_000, http: 10_000 };
/** On a connection that says nothing: whether the server is still there. */
const pingMs = 30_000;
const pongMs = 10_000;
/** By then the SDK has killed a process that does not end. */
const killMs = 5_000;

export interface Session {
  readonly client: Client;
  /** It is gone: nothing is asked on it any more. */
  readonly lost: AbortSignal;
  /** What the server may ask while this call, the only one here, waits. */
  onElicit: ((form: ElicitRequestFormParams, signal: AbortSignal) => Promise<ElicitResult>) | undefined;
  close(): Promise<void>;
}

export interface SessionOptions {
  readonly name: string;
  readonly settings: McpServer;
  readonly auth: ClientCredentialsProvider | undefined;
  readonly safeFetch: SafeFetch;
  readonly clock: Clock;
  readonly log: Log;
  /** What it offers has changed. */
  readonly changed: () => void;
}

/** One for all connections to the server: tokens are kept with it. */
export function authOf(settings: McpServer): ClientCredentialsProvider | undefined {
  if (!("url" in settings) || settings.oauth === undefined) return undefined;
  const { issuer, clientId, clientSecret, scope } = settings.oauth;
  return new ClientCredentialsProvider({
    clientId,
    clientSecret,
    expectedIssuer: issuer,
    clientName: "Ascent",
    ...(scope === undefined ? {} : { scope }),
  });
}

export async function openSession(options: SessionOptions, signal?: AbortSignal): Promise<Session> {
  const { name, settings, clock, log, changed } = options;
  const lost = new AbortController();
  const lose = (why: string) => lost.abort(new Error(why));
  const client = new Client(
    { name: "ascent", version: "1" },
    {
      capabilities: settings.asks ? { elicitation: { form: {} } } : {},
      // Results are data for a model: whether they fit what the server promised of them is nobody's concern here.
      jsonSchemaValidator: {
        getValidator: () => (input) => ({ valid: true, data: input as never, errorMessage: undefined }),
      },
    },
  );
  const transport = transportOf(options, lost, (request) => {
    // It has its answer mostly: then nobody hears of this.
    client.transport?.onmessage?.({
      jsonrpc: "2.0",
      id: request,
      error: { code: goneCode, message: "the connection is gone" },
    });
  });
  let started = false;
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  const session: Session = {
    client,
    lost: lost.signal,
    onElicit: undefined,
    async close() {
      lose("closed");
      await client.close();
      if ("pid" in transport && started) await Promise.race([ended, waited(clock, killMs)]);
    },
  };
  client.onclose = () => {
    lose("the server has ended the connection");
    end();
  };
  client.onerror = (error) => {
    // Of a stream that ends in order, too: its answer has come mostly.
    if (error.message.startsWith("Received a response for an unknown message ID")) return;
    // Words of the server's may be in it.
    log.debug({ server: name, kind: error.name }, "an MCP connection has trouble");
    const [, why] = endings.find(([begin]) => error.message.startsWith(begin)) ?? [];
    if (why !== undefined) lose(why);
  };
  if (settings.asks) {
    client.setRequestHandler(ElicitRequestSchema, async ({ params }, { signal }) => {
      if (session.onElicit === undefined || params.mode === "url") return { action: "decline" };
      return session.onElicit(params, signal);
    });
  }
  const lists = [
    ToolListChangedNotificationSchema,
    ResourceListChangedNotificationSchema,
    PromptListChangedNotificationSchema,
  ];
  for (const schema of lists) client.setNotificationHandler(schema, changed);
  const start = transport.start.bind(transport);
  transport.start = async () => {
    await start();
    started = true;
  };
  try {
    const mostMs = connectMs["url" in settings ? "http" : "stdio"];
    const deadline = AbortSignal.timeout(mostMs);
    const until = signal === undefined ? deadline : AbortSignal.any([deadline, signal]);
    await client.connect(transport as Transport, { timeout: mostMs, signal: until });
  } catch (error) {
    await session.close().catch(() => undefined);
    throw error;
  }
  watch(session, clock, (error) => {
    if (lost.signal.aborted) return;
    log.warn({ server: name, reason: reasonOf(error) }, "an MCP server does not answer: its connection is given up");
    session.close().catch(() => undefined);
  });
  return session;
}

function waited(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => void clock.after(ms, resolve));
}

/** Of the SDK's errors those after which nothing comes any more, by how they begin; it says so of no others. */
const endings = [
  ["Maximum reconnection attempts", "the stream cannot be taken up again"],
  ["ReadBuffer exceeded", "a message was too large"],
] as const;

/** Of the error that stands for an answer that cannot come any more. */
export const goneCode = -32_099;

function watch({ client, lost }: Session, clock: Clock, failed: (error: unknown) => void): void {
  let cancel = clock.after(pingMs, ping);
  lost.addEventListener("abort", () => cancel(), { once: true });
  function ping(): void {
    client.ping({ timeout: pongMs }).then(() => {
      if (!lost.aborted) cancel = clock.after(pingMs, ping);
    }, failed);
  }
}

function transportOf(
  { name, settings, auth, safeFetch, clock, log }: SessionOptions,
  lost: AbortController,
  gone: (request: string | number) => void,
) {
  return "url" in settings ? overHttp(settings) : overStdio(settings);

  function overHttp({ url, headers, oauth, resultBytes }: HttpServer) {
    const named = oauth === undefined ? [url] : [url, oauth.issuer];
    return new StreamableHTTPClientTransport(new URL(url), {
      requestInit: { headers },
      fetch: createFetch({ named, safeFetch, mostBytes: resultBytes, clock, lost: gone }),
      ...(auth === undefined ? {} : { authProvider: auth }),
    });
  }

  /** What the server writes to its standard error is counted, not kept: it may hold what people said. */
  function overStdio({ command, args, env, cwd, resultBytes }: StdioServer) {
    const place = cwd === undefined ? {} : { cwd };
    const transport = new StdioClientTransport({
      command,
      args,
      env,
      ...place,
      stderr: "pipe",
      maxBufferSize: resultBytes,
    });
    let bytes = 0;
    transport.stderr?.on("data", (chunk: Uint8Array) => (bytes += chunk.length));
    lost.signal.addEventListener("abort", () => {
      const closed = lost.signal.reason instanceof Error && lost.signal.reason.message === "closed";
      if (!closed) log.warn({ server: name, stderrBytes: bytes }, "an MCP server's process has ended");
    });
    return transport;
  }
}
