/** What the sidecar asks of the application, on a listener of its own. Every route but the probe's wants the application's token. */
import { createAdaptorServer } from "@hono/node-server";
import { Hono, type Context } from "hono";
import { timingSafeEqual } from "node:crypto";
import type { Server } from "node:http";
import { reasonOf } from "../../src/errors.ts";
import type { AgentId } from "../../src/ids.ts";
import type { CloudEvent, Log, Topic } from "../../src/ports.ts";
import { actorType } from "./actor-context.ts";
import type { DaprActors } from "./actors.ts";
import type { DaprBindings } from "./bindings.ts";
import { deadLetterTopic, type Answered, type DaprBus } from "./bus.ts";
import { failureOf, type Outcome } from "../../src/fate.ts";
import type { DaprJobs } from "./jobs.ts";
import { decodeName } from "./wire.ts";

export interface AppOptions {
  readonly token: string;
  readonly bus: DaprBus;
  readonly actors: DaprActors;
  readonly jobs: DaprJobs;
  readonly bindings: DaprBindings;
  readonly log: Log;
  /** This process hosts agents. */
  readonly hosts: boolean;
  /** It takes part in the topics. */
  readonly subscribes: boolean;
  /** Of other applications' calls, where this path is for them. */
  readonly invoked: (path: string) => ((request: Request) => Promise<Response>) | undefined;
  readonly idleMs: number;
  /** A dead letter came by its topic. Never rejects. */
  readonly deadLetter: (event: CloudEvent) => Promise<Answered>;
  /** Every delivery and call may come from now on. */
  readonly isOpen: () => boolean;
}

const routeOf = (topic: string) => `/events/${topic}`;

export function createDaprApp(options: AppOptions): Hono {
  const { bus, actors, jobs, bindings, log } = options;
  const app = new Hono();
  const isToken = tokenCheck(options.token);

  // The sidecar's probe alone carries no token; it learns nothing but this.
  app.get("/healthz", (c) => c.body(null, options.isOpen() ? 200 : 503));
  app.use(async (c, next) => {
    if (!isToken(c.req.header("dapr-api-token"))) return c.body(null, 401);
    await next();
    return undefined;
  });
  app.onError((error, c) => {
    log.warn({ path: c.req.path.split("/")[1], reason: reasonOf(error) }, "a request of the sidecar failed");
    return c.json(failureOf(error), 500);
  });

  app.get("/dapr/config", (c) => {
    // A new sidecar, or one that lost us: what the old one gave is void, and what it waits for is delivered again.
    actors.dropAll();
    bus.forget();
    return c.json({
      entities: options.hosts ? [actorType] : [],
      actorIdleTimeout: `${options.idleMs}ms`,
      // While agents move, the sidecar holds up every call and every write of state, those of running calls too: waiting
      // for such a call is in vain, and for all agents. What is cut off is refused when it writes, and is called again.
      drainOngoingCallTimeout: "500ms",
      drainRebalancedActors: true,
    });
  });
  // No deadLetterTopic: with one, and without the resiliency policy, a first failure would be the last.
  app.get("/dapr/subscribe", (c) => {
    const subscribed = options.subscribes ? [...bus.subscribed(), deadLetterTopic] : [];
    const subscriptions = subscribed.map((topic) => ({
      pubsubname: topic,
      topic,
      route: routeOf(topic),
    }));
    return c.json(subscriptions);
  });

  app.post("/events/:topic", async (c) => {
    const topic = c.req.param("topic");
    const event = await c.req.json<CloudEvent>();
    const status = await (topic === deadLetterTopic ? options.deadLetter(event) : bus.deliver(topic as Topic, event));
    return c.json({ status });
  });

  app.put(`/actors/${actorType}/:id/method/remind/:name`, async (c) => {
    await actors.remind(idOf(c), decodeName(c.req.param("name")));
    return c.body(null, 200);
  });
  // A failure is told in the answer: the sidecar would keep its words for itself.
  app.put(`/actors/${actorType}/:id/method/:method`, async (c) => {
    const outcome = await actors
      .invoke(idOf(c), decodeName(c.req.param("method")), await c.req.json())
      .then((result): Outcome => ({ result }), failureOf);
    return c.json(outcome);
  });
  app.delete(`/actors/${actorType}/:id`, (c) => {
    actors.deactivate(idOf(c));
    return c.body(null, 200);
  });
  app.post("/job/:name", async (c) => {
    await jobs.run(c.req.param("name"), await c.req.json());
    return c.body(null, 200);
  });
  app.use(async (c, next) => {
    const handle = options.invoked(c.req.path);
    return handle === undefined ? next() : handle(c.req.raw);
  });
  // The sidecar asks first whether anybody takes from a binding: anything but 404 is a yes.
  app.options("/:binding", (c) => c.body(null, bindings.handlerOf(c.req.param("binding")) === undefined ? 404 : 200));
  app.post("/:binding", async (c) => {
    const take = bindings.handlerOf(c.req.param("binding"));
    if (take === undefined) return c.body(null, 404);
    await take(c.req.raw);
    return c.body(null, 200);
  });
  return app;
}

export async function listenForSidecar(app: Hono, address: { host: string; port: number }): Promise<Server> {
  const server = createAdaptorServer({ fetch: app.fetch }) as Server;
  // The sidecar keeps its connections for as long as it lives.
  server.keepAliveTimeout = 0;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(address.port, address.host, resolve);
  });
  return server;
}

const idOf = (c: Context): AgentId => decodeName(c.req.param("id") ?? "") as AgentId;

function tokenCheck(token: string): (given: string | undefined) => boolean {
  const wanted = Buffer.from(token);
  return (header) => {
    const given = Buffer.from(header ?? "");
    return given.length === wanted.length && timingSafeEqual(given, wanted);
  };
}
