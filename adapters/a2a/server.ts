/**
 * The A2A server: every agent of this process at `/a2a/<name>`, by JSON-RPC and HTTP+JSON, as a function from Request to Response. In
 * the gateway itself it is called without a socket, over HTTP by the server; it is the same code. gRPC is not spoken.
 *
 * @see https://a2a-protocol.org/v1.0/specification
 */
import { HTTP_EXTENSION_HEADER, type AgentCard } from "@a2a-js/sdk";
import { RequestMalformedError, restStatusFor, toRestErrorBody } from "@a2a-js/sdk/errors";
import { defaultServerCallContextBuilder, type A2ARequestHandler } from "@a2a-js/sdk/server";
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { createKeyring, keyName } from "../../src/api-keys.ts";
import { chainExtension } from "../../src/chain.ts";
import { createCounter } from "../../src/counter.ts";
import { InputError } from "../../src/errors.ts";
import type { Blobs, Clock, Log } from "../../src/ports.ts";
import { taskCaller, type TaskCaller } from "../../src/skilled.ts";
import type { PushSender } from "../../src/task-push.ts";
import type { SafeFetch } from "../../src/fetch.ts";
import type { Tasks } from "../../src/tasks.ts";
import { readJson } from "./body.ts";
import { cardFor, createCard } from "./card.ts";
import { createHandler, setCaller } from "./handler.ts";
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
}

export interface A2aServer {
  readonly paths: readonly string[];
  /** For the host of the tasks. */
  readonly sender: PushSender;
  /** Once for each agent; `alone`: its card is the address's own, too. */
  serve(tasks: Tasks, options?: { readonly alone?: boolean }): void;
  handle(request: Request): Promise<Response>;
  /** What this agent is called in chains: the same in all replicas, and no other gateway's. */
  chainName(agent: string): string;
}

/** What a part of the gateway calls an agent with, in this process or in another that has the same secret. */
export function internalHeaders(secret: string, { tenant, id }: TaskCaller): Readonly<Record<string, string>> {
  const caller = Buffer.from(JSON.stringify({ tenant, id })).toString("base64url");
  return { authorization: `Bearer ${internalToken(secret, caller)}`, "x-ascent-caller": caller };
}

function internalToken(secret: string, caller: string): string {
  return createHmac("sha256", secret).update(`ascent a2a caller\0${caller}`).digest("base64url");
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
  const callers = createKeyring(settings.keys.map((one) => [one, keyName(one)]));
  const served = new Map<string, Served>();
  let alone: string | undefined;
  const { enter } = createCounter(settings.streamsPerCaller);
  const chainName = (agent: string) => `${key.kid.slice(0, 16)}/${agent}`;

  function handlersOf(tasks: Tasks, origin: string): Handlers {
    const { profile } = tasks;
    const parts = { profile, url: `${origin}${base}/${profile.name}`, jwksUrl: `${origin}${jwksPath}`, key };
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
        const known = at.get(origin);
        if (known !== undefined) return known;
        if (at.size >= mostOrigins) at.clear();
        const made = handlersOf(tasks, origin);
        at.set(origin, made);
        return made;
      },
    });
  }

  function callerOf(headers: Headers): TaskCaller | undefined {
    const internal = headers.get("x-ascent-caller");
    if (internal !== null) return internalCaller(secret, internal, headers);
    const apiKey = headers.get("x-api-key");
    const id = callers.of(apiKey === null ? headers : new Headers({ authorization: `Bearer ${apiKey}` }));
    return id === undefined ? undefined : { tenant: options.tenant, id: within(id, headers.get("x-ascent-for")) };
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
    const context = defaultServerCallContextBuilder({
      extensions: (request.headers.get(HTTP_EXTENSION_HEADER) ?? "").split(",").map((one) => one.trim()),
      user: { isAuthenticated: true, userName: caller.id },
      headers: {},
      requestedVersion: versionOf(request),
    });
    setCaller(context, { caller, signal: AbortSignal.any([over.signal, request.signal]) });
    if (context.requestedExtensions?.includes(chainExtension) === true) context.addActivatedExtension(chainExtension);
    const asked = { request, body, context, gone: () => over.abort() };
    const response = rest === "" ? await at.rpc(asked) : await at.rest(rest, asked);
    const activated = [...(context.activatedExtensions ?? [])];
    if (activated.length > 0) response.headers.set(HTTP_EXTENSION_HEADER, activated.join(", "));
    return response;
  }

  return {
    paths: [base, `${base}/*`, cardPath, jwksPath],
    sender: createPushSender({ safeFetch, wire, key, clock, newId }),
    serve,
    handle,
    chainName,
  };
}

/** A caller that asks for several others keeps their tasks apart: each of them is a caller of its own, and none is anybody else's. */
function within(caller: string, other: string | null): string {
  return other === null ? caller : `${caller}.${createHash("sha256").update(other).digest("base64url").slice(0, 22)}`;
}

const hasNoBody = (request: Request) => request.body === null || request.headers.get("content-length") === "0";

function internalCaller(secret: string, given: string, headers: Headers): TaskCaller | undefined {
  const wanted = Buffer.from(internalToken(secret, given));
  const token = Buffer.from(headers.get("authorization")?.replace(/^Bearer +/i, "") ?? "");
  if (token.length !== wanted.length || !timingSafeEqual(token, wanted)) return undefined;
  return taskCaller.parse(JSON.parse(Buffer.from(given, "base64url").toString()));
}

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
