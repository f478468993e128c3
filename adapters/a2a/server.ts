/**
 * The A2A server: every agent of this process at `/a2a/<name>`, by JSON-RPC and HTTP+JSON, as a function from Request to Response. In
 * the gateway itself it is called without a socket, over HTTP by the server; it is the same code. What serves gRPC (`grpc.ts`) comes in by
 * a door beside it.
 *
 * @see https://a2a-protocol.org/v1.0/specification
 */
import { HTTP_EXTENSION_HEADER, type AgentCard } from "@a2a-js/sdk";
import { RequestMalformedError, restStatusFor, toRestErrorBody } from "@a2a-js/sdk/errors";
import type { A2ARequestHandler } from "@a2a-js/sdk/server";
import { createCounter } from "../../src/counter.ts";
import { InputError } from "../../src/errors.ts";
import type { Blobs, Clock, Log } from "../../src/ports.ts";
import type { TaskCaller } from "../../src/skilled.ts";
import type { PushSender } from "../../src/task-push.ts";
import type { SafeFetch } from "../../src/fetch.ts";
import type { Tasks } from "../../src/tasks.ts";
import { readJson } from "./body.ts";
import { createCallers, type CallerOf } from "./callers.ts";
import { cardFor, createCard } from "./card.ts";
import { contextOf } from "./context.ts";
import { createHandler } from "./handler.ts";
import { createSigningKey } from "./keys.ts";
import { createPushSender } from "./push.ts";
import { createRest, isRest } from "./rest.ts";
import { createRpc, versionOf } from "./rpc.ts";
import { createWire } from "./wire.ts";

export interface A2aSettings {
  /** Callers from outside; each key is one of its own. */
  readonly keys: readonly string[];
  /** How long a call that waits for its task is held at most. */
  readonly waitMs: number;
  readonly streamMs: number;
  readonly streamsPerCaller: number;
  /** Files come within the body, in base64. */
  readonly bodyBytes: number;
}

export const defaultA2aSettings: A2aSettings = {
  keys: [],
  waitMs: 60_000,
  streamMs: 30 * 60_000,
  streamsPerCaller: 50,
  bodyBytes: 12 * 1024 * 1024,
};

export interface A2aOptions {
  readonly settings: A2aSettings;
  /** The gateway's: what signs derives from it, and what its own parts call each other with. */
  readonly secret: string;
  /** Those of all tenants. */
  readonly blobs: Blobs;
  /** Of callers with a key. */
  readonly tenant: string;
  readonly safeFetch: SafeFetch;
  readonly clock: Clock;
  readonly log: Log;
  readonly newId: () => string;
  /** Without a slash at its end; where it is unknown it is the one that a request was sent to. */
  readonly publicUrl: string | undefined;
  /** Where the agents at this origin are called by gRPC, as their cards say; undefined: they are not. */
  readonly grpcAt?: (origin: string) => string | undefined;
}

/** What another transport needs to serve the same agents. */
export interface Door {
  readonly callerOf: CallerOf;
  /** @param name its own, or "" for the one that this process is for. @param origin of its HTTP addresses. */
  handlerOf(name: string, origin: string): A2ARequestHandler | undefined;
}

export interface A2aServer {
  readonly door: Door;
  readonly paths: readonly string[];
  /** For the host of the tasks. */
  readonly sender: PushSender;
  /** Once for each agent; `alone`: its card is the address's own, too. */
  serve(tasks: Tasks, options?: { readonly alone?: boolean }): void;
  handle(request: Request): Promise<Response>;
  /** What this agent is called in chains: the same in all replicas, and no other gateway's. */
  chainName(agent: string): string;
}

interface Served {
  readonly tasks: Tasks;
  readonly handlerAt: (origin: string) => Handlers;
}
interface Handlers {
  readonly card: (extended: boolean) => Promise<AgentCard>;
  readonly handler: A2ARequestHandler;
  readonly rpc: ReturnType<typeof createRpc>;
  readonly rest: ReturnType<typeof createRest>;
}

const base = "/a2a";
const cardPath = "/.well-known/agent-card.json";
const jwksPath = "/.well-known/jwks.json";
/** Cards of one agent at different addresses, where the gateway does not know its own. */
const mostOrigins = 8;

export function createA2aServer(options: A2aOptions): A2aServer {
  const { settings, secret, blobs, safeFetch, clock, log, newId, publicUrl } = options;
  const key = createSigningKey(secret);
  const wire = createWire(blobs);
  const callerOf = createCallers({ keys: settings.keys, secret, tenant: options.tenant });
  const served = new Map<string, Served>();
  let alone: string | undefined;
  const { enter } = createCounter(settings.streamsPerCaller);
  const chainName = (agent: string) => `${key.kid.slice(0, 16)}/${agent}`;

  function handlersOf(tasks: Tasks, origin: string): Handlers {
    const { profile } = tasks;
    const grpc = options.grpcAt?.(origin);
    const addresses = { url: `${origin}${base}/${profile.name}`, jwksUrl: `${origin}${jwksPath}`, grpc };
    const parts = { profile, key, ...addresses };
    const cards = new Map<boolean, Promise<AgentCard>>();
    const limits = { bodyBytes: settings.bodyBytes, waitSeconds: settings.waitMs / 1_000 };
    const card = (extended: boolean) => {
      const made = cards.get(extended) ?? createCard(extended ? { ...parts, limits } : parts);
      cards.set(extended, made);
      return made;
    };
    const { waitMs, streamMs } = settings;
    const own = chainName(profile.name);
    const handler = createHandler({ tasks, wire, clock, log, own, newId, waitMs, streamMs, card, enter });
    return { card, handler, rpc: createRpc(handler, clock), rest: createRest(handler, clock) };
  }

  function serve(tasks: Tasks, { alone: isAlone = false }: { readonly alone?: boolean } = {}): void {
    const { name } = tasks.profile;
    const at = new Map<string, Handlers>();
    if (isAlone) alone = name;
    served.set(name, {
      tasks,
      handlerAt(origin) {
        // gRPC comes a moment after HTTP.
        const place = `${origin} ${options.grpcAt?.(origin) ?? ""}`;
        const known = at.get(place);
        if (known !== undefined) return known;
        if (at.size >= mostOrigins) at.clear();
        const made = handlersOf(tasks, origin);
        at.set(place, made);
        return made;
      },
    });
  }

  async function handle(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const origin = publicUrl ?? url.origin;
    const path = url.pathname.replace(/\/$/, "");
    if (path === jwksPath) return cached(request, { keys: [key.publicJwk] });
    const [, name = "", rest = ""] =
      /^\/a2a\/([^/]+)(\/.*)?$/.exec(path === cardPath ? `${base}/${alone}${path}` : path) ?? [];
    const agent = served.get(name);
    if (agent === undefined) return refuse(404, "There is no agent at this address.");
    const at = agent.handlerAt(origin);
    if (rest === cardPath) {
      const version = request.headers.get("a2a-version");
      return cached(request, await cardFor(await at.card(false), version));
    }
    const caller = callerOf(request.headers);
    if (caller === undefined)
      return refuse(401, 'The key is missing or wrong: send it as "Authorization: Bearer <key>".', {
        "www-authenticate": "Bearer",
      });
    const erased = request.method === "DELETE" ? /^\/tasks(?:\/([\w-]+))?$/.exec(rest) : null;
    if (erased !== null) {
      await agent.tasks.erase(caller, erased[1]);
      return new Response(null, { status: 204 });
    }
    if (rest !== "" && !isRest(request.method, rest)) return refuse(404, "There is no such operation at this address.");
    if (rest === "" && request.method !== "POST") return refuse(405, "Use POST.", { allow: "POST" });
    return call(request, at, rest, caller);
  }

  async function call(request: Request, at: Handlers, rest: string, caller: TaskCaller): Promise<Response> {
    let body: Record<string, unknown>;
    try {
      body = request.method === "POST" && !hasNoBody(request) ? await readJson(request, settings.bodyBytes) : {};
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      return rest === "" ? rpcRefusal(error) : refuse(error.status, error.message);
    }
    const over = new AbortController();
    const context = contextOf({
      caller,
      signal: AbortSignal.any([over.signal, request.signal]),
      extensions: request.headers.get(HTTP_EXTENSION_HEADER) ?? "",
      version: versionOf(request),
    });
    const asked = { request, body, context, gone: () => over.abort() };
    const response = rest === "" ? await at.rpc(asked) : await at.rest(rest, asked);
    const activated = [...(context.activatedExtensions ?? [])];
    if (activated.length > 0) response.headers.set(HTTP_EXTENSION_HEADER, activated.join(", "));
    return response;
  }

  return {
    door: {
      callerOf,
      handlerOf: (name, origin) =>
        served.get(name === "" ? (alone ?? "") : name)?.handlerAt(publicUrl ?? origin).handler,
    },
    paths: [base, `${base}/*`, cardPath, jwksPath],
    sender: createPushSender({ safeFetch, wire, key, clock, newId }),
    serve,
    handle,
    chainName,
  };
}

const hasNoBody = (request: Request) => request.body === null || request.headers.get("content-length") === "0";

function refuse(status: number, message: string, headers: Readonly<Record<string, string>> = {}): Response {
  const error = new RequestMalformedError(message);
  const body = toRestErrorBody(error, restStatusFor(error));
  return Response.json({ error: { ...body.error, code: status } }, { status, headers });
}

/** Of a call whose id cannot be read. */
function rpcRefusal({ status, message }: InputError): Response {
  const code = status === 413 ? -32600 : -32700;
  const body = { jsonrpc: "2.0", id: null, error: { code, message } };
  return Response.json(body, { status: status === 413 ? 413 : 200 });
}

/** Public, and the same for a while. */
function cached(request: Request, value: unknown): Response {
  if (request.method !== "GET" && request.method !== "HEAD") return refuse(405, "Use GET.", { allow: "GET, HEAD" });
  return Response.json(value, { headers: { "cache-control": "public, max-age=300", vary: "A2A-Version" } });
}
