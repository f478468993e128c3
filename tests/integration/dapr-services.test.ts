/** The components of dapr/ on real brokers and stores, through a real sidecar. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, describe, expect, test } from "vitest";
import type { Sidecar } from "../../src/main/dapr/sidecar.ts";
import { needs } from "../needs.ts";
import { startTakingApp } from "../services/app.ts";
import { createServices, needsDapr, startCluster, type Cluster, type PubSub, type State } from "../services/dapr.ts";

const topics = ["inbound", "outbound", "receipts", "deadletters"] as const;
const combinations: readonly (readonly [PubSub, State, ...string[]])[] = [
  ["redis", "redis", "redis-server"],
  ["redis", "postgresql", "redis-server", "postgres"],
  ["redis-small", "sqlite", "redis-server"],
  ["rabbitmq", "redis", "rabbitmq-server", "redis-server"],
  ["rabbitmq", "postgresql", "rabbitmq-server", "postgres"],
  ["kafka", "postgresql", "java", "mvn", "postgres"],
];
const waitMs = 60_000;
const dapr = await needsDapr();
const services = createServices();

afterAll(() => services.close());

for (const [pubsub, state, ...programs] of combinations) {
  const missing = dapr.missing || programs.some((program) => needs(program).missing);
  describe.skipIf(missing)(`${pubsub} with state in ${state}`, () => {
    test(
      "delivers what was published, again where it was refused, and keeps state under its ETag",
      { timeout: 240_000 },
      async () => {
        const app = await startTakingApp(topics, ["Probe"]);
        const cluster = await startCluster({ pubsub, state, services });
        try {
          const sidecar = await cluster.sidecar({ appPort: app.port });
          await until(() => sidecar.ready(), cluster);
          const api = apiOf(sidecar, cluster);

          const run = `${pubsub} ${state} ${Date.now()}`;
          const taken = (kind: string) =>
            app.events.flatMap(({ data }) => (isOf(`${run} ${kind}`, data) ? [data.n] : []));
          const publish = async (kind: string, n: number) => {
            const topic = topics[n % topics.length] ?? "inbound";
            const path = `/v1.0/publish/${topic}/${topic}?metadata.partitionKey=${n % 3}`;
            return (await api("POST", path, { run: `${run} ${kind}`, n })).status;
          };
          // What is published before a topic's first subscription may find no queue; Kafka refuses it until its topic has a leader.
          await until(async () => {
            for (let n = 0; n < topics.length; n++) await publish("probe", n);
            return new Set(taken("probe")).size === topics.length;
          }, cluster);
          // Without the resiliency some brokers' components would be rid of these.
          app.refuse = 3;
          for (let n = 0; n < 20; n++) expect(await publish("event", n)).toBe(204);
          await until(() => new Set(taken("event")).size === 20, cluster);
          expect(app.tokens.get("/events/inbound")).toBe(cluster.appToken);

          await keepsState(api, run);
          expect(await loaded(api)).toEqual(expected(pubsub, state));
          expect(cluster.said("Loading Resiliency configuration: ascent")).toHaveLength(1);
          expect(app.refuse).toBe(0);
          expect((await fetch(`${sidecar.url}/v1.0/metadata`)).status).toBe(401);
        } finally {
          await cluster.close();
          await app.close();
        }
      },
    );
  });
}

describe.skipIf(dapr.missing || needs("redis-server").missing)("with mTLS", () => {
  test(
    "one sidecar's caller reaches an actor beside another, and no route of its application",
    { timeout: 240_000 },
    async () => {
      const app = await startTakingApp(topics, ["Probe"]);
      const cluster = await startCluster({ pubsub: "redis", state: "redis", services, mtls: true });
      try {
        const host = await cluster.sidecar({ appPort: app.port });
        await until(() => host.ready(), cluster);
        const gate = await startTakingApp(["inbound"]);
        const other = await cluster.sidecar({ appPort: gate.port, appId: "ascent-gateway" });
        await until(() => other.ready(), cluster);
        const api = apiOf(other, cluster);
        await until(async () => (await api("PUT", "/v1.0/actors/Probe/one/method/hello", {})).status === 200, cluster);
        expect(app.tokens.get("/actors/Probe/one/method/hello")).toBe(cluster.appToken);
        expect((await api("POST", "/v1.0/invoke/ascent/method/events/inbound", {})).status).toBe(403);
        expect(cluster.said("mTLS is disabled")).toEqual([]);
        await gate.close();
      } finally {
        await cluster.close();
        await app.close();
      }
    },
  );
});

type Api = (method: string, path: string, body?: unknown, headers?: Record<string, string>) => Promise<Response>;

function apiOf(sidecar: Sidecar, { apiToken }: Cluster): Api {
  return async (method, path, body, headers) =>
    fetch(`${sidecar.url}${path}`, {
      method,
      headers: { "dapr-api-token": apiToken, "content-type": "application/json", ...headers },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
}

async function keepsState(api: Api, key: string): Promise<void> {
  const path = `/v1.0/state/state/${encodeURIComponent(key)}`;
  const write = async (value: string, etag?: string) =>
    (
      await api("POST", "/v1.0/state/state", [
        { key, value, ...(etag && { etag, options: { concurrency: "first-write" } }) },
      ])
    ).status;
  expect(await write("first")).toBe(204);
  const read = await api("GET", path);
  expect(await read.json()).toBe("first");
  const etag = read.headers.get("etag") ?? "";
  expect(await write("second", etag)).toBe(204);
  expect(await write("too late", etag)).toBe(409);
  expect(await (await api("GET", path)).json()).toBe("second");
}

/** Components by name, with their types. */
async function loaded(api: Api): Promise<Record<string, string>> {
  const metadata = (await (await api("GET", "/v1.0/metadata")).json()) as {
    components: { name: string; type: string }[];
  };
  return Object.fromEntries(metadata.components.map(({ name, type }) => [name, type]));
}

function expected(pubsub: PubSub, state: State): Record<string, string> {
  const broker = `pubsub.${pubsub === "redis-small" ? "redis" : pubsub}`;
  return {
    secrets: "secretstores.local.env",
    state: `state.${state}`,
    ...Object.fromEntries(topics.map((topic) => [topic, broker])),
  };
}

function isOf(run: string, data: unknown): data is { readonly n: number } {
  return typeof data === "object" && data !== null && "run" in data && data.run === run;
}

async function until(holds: () => boolean | Promise<boolean>, cluster: Cluster): Promise<void> {
  for (const end = performance.now() + waitMs; performance.now() < end; await sleep(50)) {
    if (await holds()) return;
  }
  throw new Error(`not within ${waitMs} ms:\n${cluster.tail()}`);
}
