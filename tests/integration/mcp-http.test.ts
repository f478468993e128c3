/** Our side of MCP over HTTP where it is not only friendly: tokens, redirects, sessions that end. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { rejection } from "../unit/client-agent.fixture.ts";
import { callOf, clientOf, settingsOf } from "./mcp-fixture.ts";

type Serve = (request: IncomingMessage, body: string, response: ServerResponse, url: string) => void;

async function serve(handle: Serve) {
  const seen: { path: string; authorization: string | undefined; body: string }[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      seen.push({ path: request.url ?? "", authorization: request.headers.authorization, body });
      handle(request, body, response, url);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close().closeAllConnections());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, seen };
}

function json(response: ServerResponse, status: number, value: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify(value));
}

/** The least that is a server: one tool that says "hello". */
function speak(body: string, response: ServerResponse): void {
  const { id, method } = JSON.parse(body) as { id?: number; method: string };
  if (id === undefined) return void response.writeHead(202).end();
  const results: Record<string, unknown> = {
    initialize: { protocolVersion: "2025-06-18", capabilities: { tools: {} }, serverInfo: { name: "x", version: "1" } },
    "tools/list": { tools: [{ name: "hello", inputSchema: { type: "object" } }] },
    "tools/call": { content: [{ type: "text", text: "hello" }] },
  };
  json(response, 200, { jsonrpc: "2.0", id, result: results[method] ?? {} });
}

describe("an MCP server behind OAuth", () => {
  async function protectedBy(metadata: (own: string) => { issuer: string; tokenEndpoint: string; resource?: string }) {
    let tokens = 0;
    let valid = "";
    const server = await serve((request, body, response, url) => {
      const { issuer, tokenEndpoint, resource } = metadata(url);
      const path = request.url ?? "";
      if (path.includes("oauth-protected-resource"))
        return json(response, 200, { resource: `${url}/mcp`, authorization_servers: [issuer] });
      if (path.includes(".well-known/"))
        return json(response, 200, {
          issuer,
          token_endpoint: tokenEndpoint,
          response_types_supported: ["code"],
          authorization_endpoint: `${issuer}/authorize`,
        });
      if (path === "/token") {
        valid = `token-${(tokens += 1)}`;
        return json(response, 200, { access_token: valid, token_type: "Bearer", expires_in: 3_600 });
      }
      if (request.method === "GET") return void response.writeHead(405).end();
      if (request.headers.authorization === `Bearer ${valid}`) return speak(body, response);
      const where = resource ?? `${url}/.well-known/oauth-protected-resource`;
      json(response, 401, {}, { "www-authenticate": `Bearer resource_metadata="${where}"` });
    });
    return { ...server, expire: () => (valid = "expired"), tokens: () => tokens };
  }
  const settings = (url: string, issuer: string) =>
    settingsOf({
      url: `${url}/mcp`,
      oauth: { issuer, clientId: "ascent", clientSecret: "canary-secret", scope: "tools" },
    });

  it("is given a token by client credentials, kept while it is good and renewed once it is not", async () => {
    const server = await protectedBy((own) => ({ issuer: own, tokenEndpoint: `${own}/token` }));
    const { source, lines } = clientOf(settings(server.url, server.url));
    for (let n = 0; n < 3; n++) expect(await source.call("hello", callOf({}))).toEqual({ text: "hello" });
    expect(server.tokens()).toBe(1);
    const [asked] = server.seen.filter(({ path }) => path === "/token");
    expect(asked?.authorization).toBe(`Basic ${Buffer.from("ascent:canary-secret").toString("base64")}`);
    expect(asked?.body).toContain("grant_type=client_credentials");
    server.expire();
    expect(await source.call("hello", callOf({}))).toEqual({ text: "hello" });
    expect(server.tokens()).toBe(2);
    expect(lines.join()).not.toContain("canary");
  });

  it("that names another authorization server, or sends into a private network, is given nothing", async () => {
    const thief = await serve((_request, _body, response, url) =>
      json(response, 200, {
        issuer: url,
        token_endpoint: `${url}/token`,
        access_token: "x",
        token_type: "Bearer",
        response_types_supported: ["code"],
        authorization_endpoint: `${url}/a`,
      }),
    );
    const elsewhere = await protectedBy(() => ({ issuer: thief.url, tokenEndpoint: `${thief.url}/token` }));
    const hidden = await protectedBy((own) => ({ issuer: own, tokenEndpoint: `${thief.url}/token` }));
    for (const server of [elsewhere, hidden]) {
      const { source, lines } = clientOf(settings(server.url, server.url));
      expect((await rejection(source.call("hello", callOf({})))).message).toContain("cannot be reached");
      expect(lines.join()).not.toContain("canary");
    }
    expect(thief.seen).toEqual([]);
  });

  it("that redirects to another origin is not followed, with its headers or without", async () => {
    const thief = await serve((_request, body, response) => speak(body, response));
    const server = await serve(
      (_request, _body, response) => void response.writeHead(307, { location: `${thief.url}/mcp` }).end(),
    );
    const { source } = clientOf(settingsOf({ url: `${server.url}/mcp`, headers: { authorization: "Bearer canary" } }));
    expect((await rejection(source.call("hello", callOf({})))).message).toContain("cannot be reached");
    expect(server.seen[0]?.authorization).toBe("Bearer canary");
    expect(thief.seen).toEqual([]);
  });
});

it("a session that the server has forgotten is begun anew, also for a call that is never made twice", async () => {
  let sessions = 0;
  let calls = 0;
  const server = await serve((request, body, response) => {
    if (request.method !== "POST") return void response.writeHead(405).end();
    const { method } = JSON.parse(body) as { method: string };
    if (method === "initialize") response.setHeader("mcp-session-id", `s${(sessions += 1)}`);
    else if (request.headers["mcp-session-id"] !== `s${sessions}`) return void response.writeHead(404).end();
    if (method === "tools/call") calls += 1;
    speak(body, response);
  });
  const { source } = clientOf(settingsOf({ url: `${server.url}/mcp` }));
  await source.call("hello", callOf({}));
  sessions += 1;
  expect(await source.call("hello", callOf({}))).toEqual({ text: "hello" });
  expect(calls).toBe(2);
});
