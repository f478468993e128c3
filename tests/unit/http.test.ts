import { once } from "node:events";
import { connect } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { createServer, type HttpServer, type ServerLimits } from "../../adapters/http/index.ts";
import { requestId } from "../../adapters/http/context.ts";
import type { HttpHandler } from "../../src/channel.ts";
import { InfrastructureError, InputError, OverloadedError } from "../../src/errors.ts";
import type { Log } from "../../src/ports.ts";

const running: HttpServer[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.drain(0)));
});

interface Line {
  readonly level: string;
  readonly fields: Readonly<Record<string, unknown>>;
}
const lines: Line[] = [];
const log = Object.fromEntries(
  ["debug", "info", "warn", "error"].map((level) => [level, (fields: Line["fields"]) => lines.push({ level, fields })]),
) as unknown as Log;

type Handle = HttpHandler["handle"];
async function serve(
  handle: Handle,
  limits: Partial<ServerLimits> = {},
  health: () => string | undefined = () => undefined,
) {
  lines.length = 0;
  const channels = [{ paths: ["/in"], handle }];
  const server = createServer({ host: "127.0.0.1", port: 0, channels, health, log, limits });
  running.push(server);
  return { server, ...(await server.listen()) };
}
const code = async (response: Response) => ((await response.json()) as { error: { code: string } }).error.code;
const echo: Handle = async (request) => Response.json({ size: (await request.text()).length });

describe("bodies", () => {
  test("a body that says it is too large is refused without reading it", async () => {
    const { url } = await serve(echo, { bodyBytes: 100 });
    const response = await fetch(`${url}/in`, { method: "POST", body: "x".repeat(101) });
    expect(response.status).toBe(413);
    expect(await code(response)).toBe("too_large");
    expect((await fetch(`${url}/in`, { method: "POST", body: "x".repeat(100) })).status).toBe(200);
  });

  test("a body of unknown length is counted while it is read", async () => {
    const { url } = await serve(echo, { bodyBytes: 100 });
    const send = (chunks: number) => {
      const body = new ReadableStream({
        async start(controller) {
          for (let i = 0; i < chunks; i++) controller.enqueue(new TextEncoder().encode("x".repeat(50)));
          controller.close();
        },
      });
      return fetch(`${url}/in`, { method: "POST", body, duplex: "half" });
    };
    expect(await (await send(2)).json()).toEqual({ size: 100 });
    const response = await send(3);
    expect(response.status).toBe(413);
  });

  test("headers that do not come in time, or are too large, end the connection", async () => {
    const { url, port } = await serve(echo, { headersMs: 200, headerBytes: 2048 });
    const socket = connect(port, "127.0.0.1");
    socket.write("POST /in HTTP/1.1\r\nHost: x\r\n");
    const [data] = (await once(socket, "data")) as [Buffer];
    expect(data.toString()).toContain("408");
    expect((await fetch(`${url}/in`, { headers: { "x-large": "x".repeat(4096) } })).status).toBe(431);
  });
});

describe("answers", () => {
  const failing = (error: unknown) => serve(() => Promise.reject(error as Error));

  test("an InputError keeps its status and words", async () => {
    const { url } = await failing(new InputError("Give a name.", { status: 422 }));
    const response = await fetch(`${url}/in`);
    expect(response.status).toBe(422);
    expect(await response.json()).toEqual({ error: { code: "bad_request", message: "Give a name." } });
  });

  test("overload and infrastructure say when to come back", async () => {
    for (const error of [new OverloadedError("full"), new InfrastructureError("disk", { retryAfterMs: 2500 })]) {
      const { url } = await failing(error);
      const response = await fetch(`${url}/in`);
      expect(response.status).toBe(503);
      expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(0);
      expect(await response.text()).not.toMatch(/full|disk/);
    }
  });

  test("anything else is a 500 that tells nothing of the inside, and the log has the cause", async () => {
    const { url } = await failing(new Error("SECRET at db.ts:12"));
    const response = await fetch(`${url}/in`);
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain("SECRET");
    expect(lines.find(({ level }) => level === "error")?.fields["reason"]).toContain("SECRET at db.ts:12");
  });

  test("an unknown path is a 404 and a wrong method a 405, as JSON, with the default security headers", async () => {
    const { url } = await serve(echo);
    const response = await fetch(`${url}/nothing`);
    expect(response.status).toBe(404);
    expect(await code(response)).toBe("not_found");
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
    expect(response.headers.get("content-security-policy")).toContain("frame-ancestors 'none'");
    expect((await fetch(`${url}/healthz`, { method: "POST" })).status).toBe(405);
  });

  test("a request id is taken when it is fit, made when it is not, and known to what handles the request", async () => {
    const seen: unknown[] = [];
    const { url } = await serve(async () => {
      await Promise.resolve();
      seen.push(requestId());
      return new Response();
    });
    const good = await fetch(`${url}/in?token=SECRET`, { headers: { "x-request-id": "abc-1" } });
    expect(good.headers.get("x-request-id")).toBe("abc-1");
    const bad = await fetch(`${url}/in`, { headers: { "x-request-id": 'a b"c' } });
    expect(bad.headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
    expect(seen).toEqual(["abc-1", bad.headers.get("x-request-id")]);
    expect(lines[0]).toMatchObject({ level: "debug", fields: { requestId: "abc-1", path: "/in", status: 200 } });
    expect(JSON.stringify(lines)).not.toContain("SECRET");
  });
});

describe("life and death", () => {
  test("alive always, ready only while the runtime is", async () => {
    let reason: string | undefined = "The store does not answer.";
    const { url } = await serve(echo, {}, () => reason);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    const not = await fetch(`${url}/readyz`);
    expect(not.status).toBe(503);
    expect(await not.text()).toContain("The store does not answer.");
    reason = undefined;
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
  });

  test("a port in use is told with what to do", async () => {
    const { port } = await serve(echo);
    const second = createServer({ host: "127.0.0.1", port, channels: [], health: () => undefined, log });
    await expect(second.listen()).rejects.toThrow(
      `port ${port} on 127.0.0.1 is in use: stop what uses it, or set PORT`,
    );
  });

  test("draining finishes what runs and takes nothing new", async () => {
    const gate = Promise.withResolvers<void>();
    const started = Promise.withResolvers<void>();
    const { server, url } = await serve(async () => {
      started.resolve();
      await gate.promise;
      return new Response("done");
    });
    const answer = fetch(`${url}/in`);
    await started.promise;
    const drained = server.drain(5000);
    await expect(fetch(`${url}/in`)).rejects.toThrow();
    gate.resolve();
    expect(await (await answer).text()).toBe("done");
    await drained;
  });

  test("what is not finished in time is told to come back", async () => {
    const started = Promise.withResolvers<void>();
    const { server, url } = await serve(() => {
      started.resolve();
      return new Promise(() => undefined);
    });
    const answer = fetch(`${url}/in`);
    await started.promise;
    await server.drain(100);
    expect((await answer).status).toBe(503);
  });

  test("event streams end as finished responses, at once", async () => {
    let cancelled = false;
    const { server, url } = await serve(async () => {
      const body = new ReadableStream({
        start: (controller) => controller.enqueue(new TextEncoder().encode("event: ping\ndata: {}\n\n")),
        cancel: () => {
          cancelled = true;
        },
      });
      return new Response(body, { headers: { "content-type": "text/event-stream" } });
    });
    const response = await fetch(`${url}/in`);
    const reader = response.body!.getReader();
    expect((await reader.read()).done).toBe(false);
    const started = performance.now();
    await server.drain(10_000);
    expect(performance.now() - started).toBeLessThan(2000);
    expect((await reader.read()).done).toBe(true);
    expect(cancelled).toBe(true);
  });

  test("an event stream that answers a POST has the grace time to end by itself", async () => {
    const end = Promise.withResolvers<void>();
    const { server, url } = await serve(async () => {
      const body = new ReadableStream({
        async start(controller) {
          controller.enqueue(new TextEncoder().encode("data: half\n\n"));
          await end.promise;
          controller.enqueue(new TextEncoder().encode("data: all\n\n"));
          controller.close();
        },
      });
      return new Response(body, { headers: { "content-type": "text/event-stream" } });
    });
    const response = await fetch(`${url}/in`, { method: "POST" });
    const drained = server.drain(5_000);
    setTimeout(end.resolve, 100);
    expect(await response.text()).toContain("data: all");
    await drained;
  });

  test("a client that goes away ends its stream", async () => {
    const gone = Promise.withResolvers<void>();
    const { url } = await serve(async () => {
      const body = new ReadableStream({
        start: (controller) => controller.enqueue(new TextEncoder().encode(": open\n\n")),
        cancel: () => gone.resolve(),
      });
      return new Response(body, { headers: { "content-type": "text/event-stream" } });
    });
    const abort = new AbortController();
    await fetch(`${url}/in`, { signal: abort.signal });
    abort.abort();
    await gone.promise;
  });
});
