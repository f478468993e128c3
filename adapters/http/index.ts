/**
 * The HTTP server: everything that reaches the gateway over HTTP comes through here, and channels answer it.
 */
import { createAdaptorServer } from "@hono/node-server";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { HttpHandler } from "../../src/channel.ts";
import type { Log } from "../../src/ports.ts";
import { createApp } from "./app.ts";
import { createStreams } from "./streams.ts";

export interface ServerLimits {
  /** Bytes of a request's body; channels set lower ones of their own. */
  readonly bodyBytes: number;
  readonly headerBytes: number;
  /** Milliseconds until a request's headers, and until all of the request, must have arrived. */
  readonly headersMs: number;
  readonly requestMs: number;
  /** A kept-alive connection without a request is closed after this. */
  readonly keepAliveMs: number;
  /** A connection on which nothing moves is dropped after this, answered or not: longer than any wait of a channel. */
  readonly silenceMs: number;
}

export const defaultLimits: ServerLimits = {
  bodyBytes: 25 * 1024 * 1024,
  headerBytes: 16 * 1024,
  headersMs: 15_000,
  requestMs: 300_000,
  keepAliveMs: 65_000,
  silenceMs: 120_000,
};

export interface ServerOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Tried in this order: one that answers "/*" comes last. */
  readonly channels: readonly HttpHandler[];
  /** Why the process is not ready; undefined while it is. */
  readonly health: () => string | undefined;
  /** What is off though the process is ready, by name. */
  readonly off?: () => readonly string[];
  readonly log: Log;
  readonly limits?: Partial<ServerLimits>;
}

export interface HttpServer {
  /** @throws Error that says what to do when the address cannot be had. */
  listen(): Promise<{ readonly url: string; readonly port: number }>;
  /**
   * Takes no new connections, ends event streams and waits for running requests. What still runs after `graceMs` is answered
   * 503, and what remains of connections is closed. A second call waits for the first.
   */
  drain(graceMs: number): Promise<void>;
}

export function createServer(options: ServerOptions): HttpServer {
  const limits = { ...defaultLimits, ...options.limits };
  const streams = createStreams();
  const state = { draining: false, giveUp: new Set<() => void>() };
  const app = createApp({ ...options, limits, streams, state });
  const server = createAdaptorServer({
    fetch: app.fetch,
    serverOptions: {
      maxHeaderSize: limits.headerBytes,
      headersTimeout: limits.headersMs,
      requestTimeout: limits.requestMs,
      keepAliveTimeout: limits.keepAliveMs,
      connectionsCheckingInterval: Math.min(5000, limits.headersMs),
    },
  }) as Server;
  server.setTimeout(limits.silenceMs);
  let drained: Promise<void> | undefined;

  async function drain(graceMs: number): Promise<void> {
    state.draining = true;
    if (!server.listening) return;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    streams.endAll();
    const grace = setTimeout(() => {
      for (const stop of state.giveUp) stop();
    }, graceMs);
    // The answers that say "not now" need a moment to leave.
    const end = setTimeout(() => server.closeAllConnections(), graceMs + 500);
    // A connection that becomes idle after close() would otherwise stay for its keep-alive time.
    const idle = setInterval(() => server.closeIdleConnections(), 50);
    await closed;
    for (const timer of [grace, end, idle]) clearTimeout(timer);
  }

  return {
    async listen() {
      await new Promise<void>((resolve, reject) => {
        server.once("error", (error: NodeJS.ErrnoException) => reject(explained(error, options)));
        server.listen(options.port, options.host, resolve);
      });
      const { port } = server.address() as AddressInfo;
      const host = options.host.includes(":") ? `[${options.host}]` : options.host;
      return { url: `http://${host}:${port}`, port };
    },
    drain: (graceMs) => (drained ??= drain(graceMs)),
  };
}

function explained(error: NodeJS.ErrnoException, { host, port }: ServerOptions): Error {
  const what: Readonly<Record<string, string>> = {
    EADDRINUSE: `port ${port} on ${host} is in use: stop what uses it, or set PORT to another one`,
    EACCES: `port ${port} needs rights this process does not have: set PORT to one above 1023`,
    EADDRNOTAVAIL: `this machine has no address "${host}": set HOST to one it has, for example 127.0.0.1`,
    ENOTFOUND: `the host "${host}" cannot be resolved: set HOST to an address of this machine, for example 127.0.0.1`,
  };
  return new Error(`The HTTP server cannot listen: ${what[error.code ?? ""] ?? error.message}.`, { cause: error });
}
