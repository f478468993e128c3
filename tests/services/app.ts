/** The smallest application beside a sidecar: it takes every event, and keeps what it was sent. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface TakenEvent {
  readonly topic: string;
  readonly data: unknown;
}

export interface TakingApp {
  readonly port: number;
  /** How many of the next events it answers with an error instead of taking them. */
  refuse: number;
  readonly events: readonly TakenEvent[];
  /** What each path was last sent as dapr-api-token. */
  readonly tokens: ReadonlyMap<string, string | undefined>;
  close(): Promise<void>;
}

/** @param topics by the components' names, which are those of the topics too */
export async function startTakingApp(topics: readonly string[], actors: readonly string[] = []): Promise<TakingApp> {
  const events: TakenEvent[] = [];
  const tokens = new Map<string, string | undefined>();

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? "";
    const chunks: Buffer[] = [];
    for await (const chunk of request) if (chunk instanceof Buffer) chunks.push(chunk);
    const token = request.headers["dapr-api-token"];
    tokens.set(path, typeof token === "string" ? token : undefined);
    if (path.startsWith("/events/") && app.refuse > 0) {
      app.refuse--;
      response.statusCode = 500;
      response.end();
      return;
    }
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(reply(path, Buffer.concat(chunks).toString())));
  }

  function reply(path: string, body: string): unknown {
    if (path === "/dapr/config") return { entities: actors };
    if (path === "/dapr/subscribe") {
      return topics.map((topic) => ({ pubsubname: topic, topic, route: `/events/${topic}` }));
    }
    if (!path.startsWith("/events/")) return {};
    const event: unknown = JSON.parse(body);
    const data = typeof event === "object" && event !== null && "data" in event ? event.data : undefined;
    events.push({ topic: path.slice("/events/".length), data });
    return { status: "SUCCESS" };
  }

  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => response.destroy(error instanceof Error ? error : undefined));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const app: TakingApp = {
    port: (server.address() as AddressInfo).port,
    refuse: 0,
    events,
    tokens,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return app;
}
