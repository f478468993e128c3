import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A listening loopback server. `close` drops open connections: long polls and streams would hold it otherwise. */
export interface Listening {
  readonly port: number;
  readonly url: string;
  close(): Promise<void>;
}

export async function listen(handler: RequestListener, port = 0): Promise<Listening> {
  const server = createServer({ keepAliveTimeout: 65_000, requestTimeout: 0 }, handler);
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  const actual = (server.address() as AddressInfo).port;
  return {
    port: actual,
    url: `http://127.0.0.1:${actual}`,
    async close() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** The whole body, unless it is larger than `limit` bytes or the client goes away. */
export function readBody(request: IncomingMessage, limit = Infinity): Promise<Buffer | "too large" | "closed"> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size <= limit) chunks.push(chunk);
    });
    request.on("end", () => {
      const [only] = chunks;
      if (size > limit) resolve("too large");
      else resolve(only !== undefined && chunks.length === 1 ? only : Buffer.concat(chunks));
    });
    request.on("close", () => resolve("closed"));
  });
}

export function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers?: Readonly<Record<string, string>>,
): void {
  sendText(response, status, JSON.stringify(body), { "content-type": "application/json", ...headers });
}

export function sendText(
  response: ServerResponse,
  status: number,
  text: string,
  headers: Readonly<Record<string, string>>,
): void {
  if (response.destroyed) return;
  response.writeHead(status, { ...headers, "content-length": Buffer.byteLength(text) });
  response.end(text);
}

/** Runs a fake as its own process: prints `{"port":…}` on one line, ends on SIGTERM and SIGINT. */
export function announce(fake: { readonly port: number; close(): Promise<void> }): void {
  process.stdout.write(`${JSON.stringify({ port: fake.port })}\n`);
  const stop = () => void fake.close().then(() => process.exit(0));
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);
}

/**
 * The control API of a fake in its own process: `POST /control/<command>` runs the function of that name with the JSON
 * body. False for any other path. A refusal is a 400 with the reason.
 */
export function serveControl(commands: object, request: IncomingMessage, response: ServerResponse): boolean {
  const name = /^\/control\/(\w+)$/.exec(request.url ?? "")?.[1];
  if (name === undefined) return false;
  void readBody(request).then(async (body) => {
    if (typeof body === "string") return;
    try {
      if (!Object.hasOwn(commands, name)) throw new Error(`no control command "${name}"`);
      const command = (commands as Record<string, (request: unknown) => unknown>)[name];
      const parsed: unknown = body.length === 0 ? {} : JSON.parse(body.toString());
      sendJson(response, 200, (await command?.(parsed)) ?? null);
    } catch (error) {
      sendJson(response, 400, { error: String(error) });
    }
  });
  return true;
}

/** One call of a fake's control API from another process. Throws with the fake's own words when it refuses. */
export async function controlCall<T>(base: string, command: string, body: unknown = {}): Promise<T> {
  const response = await fetch(`${base}/control/${command}`, { method: "POST", body: JSON.stringify(body) });
  const text = await response.text();
  if (!response.ok) throw new Error(`fake refused ${command}: ${text}`);
  return JSON.parse(text) as T;
}
