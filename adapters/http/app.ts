import type { HttpBindings } from "@hono/node-server";
import { type Context, Hono } from "hono";
import type { HttpHandler } from "../../src/channel.ts";
import type { Log } from "../../src/ports.ts";
import { limitBody } from "./body.ts";
import { inRequest } from "./context.ts";
import { errorResponse, responseOf, unavailable } from "./errors.ts";
import type { Streams } from "./streams.ts";

export interface AppOptions {
  readonly channels: readonly HttpHandler[];
  readonly health: () => string | undefined;
  readonly off?: (() => readonly string[]) | undefined;
  readonly log: Log;
  readonly limits: { readonly bodyBytes: number };
  readonly streams: Streams;
  readonly state: {
    readonly draining: boolean;
    /** Called when running requests have had their time. */
    readonly giveUp: Set<() => void>;
  };
}

/** For what a channel does not say itself: an answer is data, not a page, and nobody frames it. */
const defaultHeaders: readonly (readonly [string, string])[] = [
  ["x-content-type-options", "nosniff"],
  ["referrer-policy", "no-referrer"],
  ["content-security-policy", "default-src 'none'; frame-ancestors 'none'"],
  ["cross-origin-resource-policy", "same-origin"],
  ["cache-control", "no-store"],
];

export function createApp({ channels, health, off = () => [], log, limits, streams, state }: AppOptions): Hono {
  const app = new Hono();

  app.use(async (c, next) => {
    const started = performance.now();
    const id = requestIdOf(c.req.raw);
    await inRequest(id, next);
    const headers = c.res.headers;
    headers.set("x-request-id", id);
    for (const [name, value] of defaultHeaders) if (!headers.has(name)) headers.set(name, value);
    if (state.draining) headers.set("connection", "close");
    const ms = Math.round(performance.now() - started);
    log.debug({ requestId: id, method: c.req.method, path: c.req.path, status: c.res.status, ms }, "request");
  });

  app.get("/healthz", () => Response.json({ status: "alive" }));
  app.get("/readyz", () => {
    const reason = state.draining ? "The gateway is stopping." : health();
    if (reason !== undefined) return unavailable("not_ready", reason, 2);
    return Response.json({ status: "ready", ...(off().length > 0 && { off: off() }) });
  });
  for (const path of ["/healthz", "/readyz"]) {
    app.all(path, () => errorResponse(405, "method_not_allowed", "Use GET.", { allow: "GET, HEAD" }));
  }

  function orStopping(answer: Promise<Response>): Promise<Response> {
    return new Promise((resolve, reject) => {
      const stop = () => resolve(unavailable("stopping", "The gateway is stopping: try again.", 2));
      state.giveUp.add(stop);
      answer.then(resolve, reject).finally(() => state.giveUp.delete(stop));
    });
  }

  for (const channel of channels) {
    for (const path of channel.paths) {
      app.all(path, async (c) => {
        const answer = channel.handle(limitBody(c.req.raw, limits.bodyBytes), peerOf(c));
        const response = await orStopping(answer);
        // A stream that answers a POST ends by itself, and nobody could resume it: it has the grace time as any answer has.
        return c.req.method === "POST" ? response : streams.track(response);
      });
    }
  }

  app.notFound(() => errorResponse(404, "not_found", "There is nothing at this address."));
  app.onError((error) => responseOf(error, log));
  return app;
}

function peerOf(c: Context): string | undefined {
  const { incoming } = (c.env ?? {}) as Partial<HttpBindings>;
  return incoming?.socket.remoteAddress;
}

/** The caller's own id where it is fit for a log, so that a request can be followed across systems. */
function requestIdOf(request: Request): string {
  const given = request.headers.get("x-request-id");
  return given !== null && /^[\w.-]{1,64}$/.test(given) ? given : crypto.randomUUID();
}
