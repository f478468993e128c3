import { performance } from "node:perf_hooks";
import type { IncomingMessage, ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { readBody, sendJson } from "../http.ts";
import { boundaryOf, multipartParser } from "../multipart.ts";
import { limited, refusal, type Answer, type Asked, type Route } from "./answers.ts";
import { createInteractionRoutes } from "./interactions.ts";
import { createMessageRoutes } from "./messages.ts";
import type { Fault, RequestEntry } from "./types.ts";
import type { NewFile, World } from "./world.ts";

export interface RestOptions {
  readonly world: World;
  readonly token: string;
  readonly gatewayUrl: () => string;
  readonly publicKey: string;
  readonly contentAllowed: boolean;
  readonly nonceMs: number;
  /** Messages that a channel takes within five seconds; undefined: any number. */
  readonly perFiveSeconds: number | undefined;
}

export interface Rest {
  /** False for any path that is not the API's. */
  serve(request: IncomingMessage, response: ServerResponse): boolean;
  readonly log: RequestEntry[];
  readonly faults: (Fault & { left: number })[];
}

export function createRest(options: RestOptions): Rest {
  const { world, token } = options;
  const log: RequestEntry[] = [];
  const faults: (Fault & { left: number })[] = [];
  const routes: Route[] = [
    createMessageRoutes(world, options.nonceMs, options.perFiveSeconds),
    createInteractionRoutes(world),
    (asked) => applicationRoutes(options, asked),
  ];

  function struck(method: string, path: string): Fault | undefined {
    const fault = faults.find(
      (one) =>
        one.left > 0 &&
        (one.method === undefined || one.method === method) &&
        (one.path === undefined || path.includes(one.path)),
    );
    if (fault !== undefined) fault.left -= 1;
    return fault;
  }

  async function answer(request: IncomingMessage, response: ServerResponse, url: URL, path: string): Promise<void> {
    const raw = await readBody(request);
    if (typeof raw === "string") return;
    const method = request.method ?? "GET";
    const { body, files } = readForm(request, raw);
    const entry: RequestEntry = { at: performance.now(), method, path, status: 0, body };
    log.push(entry);
    const reply = (given: Answer) => {
      entry.status = given.status;
      if (given.body === undefined) response.writeHead(given.status, given.headers).end();
      else sendJson(response, given.status, given.body, given.headers);
    };
    const fault = struck(method, path);
    if (fault?.kind === "delay") await sleep(fault.ms ?? 100);
    if (fault?.kind === "close") return void request.socket.destroy();
    if (fault?.kind === "rate") return reply(limited(fault.retryAfter ?? 1, fault.global === true));
    if (fault?.kind === "error") return reply(refusal(fault.status ?? 500, fault.code ?? 0, "as the test wants it"));
    const secretPath = /^\/(?:webhooks|interactions)\//.test(path);
    if (!secretPath && request.headers.authorization !== `Bot ${token}`)
      return reply(refusal(401, 0, "401: Unauthorized"));
    const asked = {
      method,
      path: path.split("/").slice(1).map(decodeURIComponent),
      query: url.searchParams,
      body,
      files,
    };
    const given = routes.reduce<Answer | undefined>((found, route) => found ?? route(asked), undefined);
    if (fault?.kind === "accepted then close") return void request.socket.destroy();
    reply(given ?? refusal(404, 0, "404: Not Found"));
  }

  return {
    log,
    faults,
    serve(request, response) {
      const url = new URL(request.url ?? "/", "http://fake");
      const path = /^\/api\/v10(\/.*)$/.exec(url.pathname)?.[1];
      if (path === undefined) return false;
      void answer(request, response, url, path);
      return true;
    },
  };
}

function readForm(request: IncomingMessage, raw: Buffer): { body: Record<string, unknown>; files: NewFile[] } {
  const type = request.headers["content-type"] ?? "";
  const boundary = type.startsWith("multipart/") ? boundaryOf(type) : undefined;
  if (boundary === undefined)
    return { body: raw.length === 0 ? {} : (JSON.parse(raw.toString()) as Record<string, unknown>), files: [] };
  const parser = multipartParser(boundary);
  parser.push(raw);
  const form = parser.end();
  const files = [...(form?.files.values() ?? [])].map(({ name, data, mime }) => ({ name, bytes: data, type: mime }));
  return { body: JSON.parse(form?.fields["payload_json"] ?? "{}") as Record<string, unknown>, files };
}

function applicationRoutes(
  { world, gatewayUrl, publicKey, contentAllowed }: RestOptions,
  { method, path, body }: Asked,
): Answer | undefined {
  const at = `${method} /${path.join("/")}`;
  if (at === "GET /users/@me") return { status: 200, body: world.me };
  if (at === "GET /gateway/bot") {
    const session_start_limit = { total: 1000, remaining: 998, reset_after: 3_600_000, max_concurrency: 1 };
    return { status: 200, body: { url: gatewayUrl(), shards: 1, session_start_limit } };
  }
  if (at === "GET /applications/@me") {
    const flags = contentAllowed ? 1 << 19 : 0;
    return { status: 200, body: { id: world.application, name: "Ascent", flags, verify_key: publicKey } };
  }
  if (at === "POST /users/@me/channels") {
    const user = world.users.get(String(body["recipient_id"]));
    if (user === undefined || user.bot === true) return refusal(400, 50_033, "Invalid Recipient(s)");
    return { status: 200, body: world.direct(user) };
  }
  if (path[0] !== "applications" || path[2] !== "commands") return undefined;
  if (method === "GET") return { status: 200, body: world.commands };
  const command = { id: world.nextId(), ...body };
  const known = world.commands.findIndex(({ name }) => name === body["name"]);
  if (known >= 0) world.commands[known] = command;
  else world.commands.push(command);
  return { status: known >= 0 ? 200 : 201, body: command };
}
