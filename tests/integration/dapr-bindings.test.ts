/** Webhooks on real Dapr: a timer is a source, a folder a target, and subscribers are told by jobs of the scheduler. */
import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { Webhook } from "standardwebhooks";
import { describe, expect, onTestFailed, onTestFinished, test } from "vitest";
import { listen, readBody } from "../fakes/http.ts";
import { needs } from "../needs.ts";
import { needsDapr, startCluster } from "../services/dapr.ts";
import { createReplica } from "./dapr-replica.ts";
import { eventually } from "./stage.ts";

const secret = `whsec_${randomBytes(32).toString("base64")}`;
const { missing } = await needsDapr();

const component = (name: string, type: string, metadata: Readonly<Record<string, string>>) =>
  JSON.stringify({
    apiVersion: "dapr.io/v1alpha1",
    kind: "Component",
    metadata: { name },
    spec: { type, version: "v1", metadata: Object.entries(metadata).map(([key, value]) => ({ name: key, value })) },
    scopes: ["ascent"],
  });

interface Told {
  readonly id?: string;
  readonly type: string;
  readonly data: { readonly account: string; readonly text?: string };
}

async function receiver() {
  const told: Told[] = [];
  const server = await listen((request, response) => {
    void readBody(request).then((raw) => {
      const headers = request.headers as Record<string, string>;
      told.push({ ...(new Webhook(secret).verify(String(raw), headers) as Told), id: headers["webhook-id"] ?? "" });
      // The first try is for nothing.
      response.writeHead(told.length === 1 ? 503 : 204).end();
    });
  });
  onTestFinished(() => server.close());
  return { told, url: server.url };
}

async function opened() {
  const home = await mkdtemp(join(tmpdir(), "ascent-bindings-"));
  const [resources, archive] = [join(home, "components"), join(home, "archive")];
  await mkdir(resources);
  await writeFile(join(resources, "tick.yaml"), component("tick", "bindings.cron", { schedule: "@every 1s" }));
  const folder = component("archive", "bindings.localstorage", { rootPath: archive });
  await writeFile(join(resources, "archive.yaml"), folder);
  const cluster = await startCluster({ pubsub: "redis", state: "redis" });
  const { REDIS_HOST: redisHost = "", REDIS_PASSWORD: redisPassword = "" } = cluster.env;
  const pubsub = component("facts", "pubsub.redis", { redisHost, redisPassword });
  await writeFile(join(resources, "facts.yaml"), pubsub);
  const redis = new Redis(`redis://${redisHost}`, { password: redisPassword });
  onTestFinished(() => redis.disconnect());
  const published = async (topic: string) =>
    (await redis.xrange(topic, "-", "+")).map(([, fields]) => {
      // In any order.
      return JSON.parse(fields[fields.indexOf("data") + 1] ?? "{}") as { type: string; data: Told };
    });
  const { told, url } = await receiver();
  const events = ["message.answered", "conversation.started"];
  const config = {
    channels: {
      web: { main: { enabled: false } },
      webhook: {
        timer: {
          signature: { scheme: "binding", name: "tick" },
          mapping: {
            id: "$headers.readtimeutc",
            text: '"what is 12*7+3?"',
            user: '"timer"',
            conversation: '"ticks"',
          },
        },
      },
    },
    webhooks: {
      allowHosts: ["127.0.0.1"],
      subscribers: [{ url, secret, events }],
      bindings: [{ name: "archive", events }],
      topics: [{ pubsub: "facts", events }],
    },
  };
  const replica = await createReplica(cluster, { config, resources: [resources] });
  onTestFailed(() => console.error(cluster.tail(20), replica.gateway.tail()));
  onTestFinished(async () => {
    await replica.gateway.close();
    await cluster.close();
    await rm(home, { recursive: true, force: true });
  });
  const archived = async (): Promise<Told[]> => {
    const names = await readdir(archive).catch(() => []);
    const texts = await Promise.all(names.map((name) => readFile(join(archive, name), "utf8")));
    return texts.map((text) => JSON.parse(text) as Told);
  };
  return { cluster, ...replica, told, archived, published };
}

describe.skipIf(missing || needs("redis-server").missing)("bindings", () => {
  test("a timer asks, the answer is archived and told, also after a kill", { timeout: 240_000 }, async () => {
    const { cluster, gateway, appPort, told, archived, published } = await opened();
    await gateway.start();
    const answered = (all: readonly Told[]) => all.filter(({ type }) => type === "message.answered");
    await eventually("answers in the folder", async () => answered(await archived()).length >= 2, 60_000);
    expect(answered(await archived())[0]).toMatchObject({ data: { account: "timer" } });
    expect(answered(await archived())[0]?.data.text).toContain("87");
    await eventually("answers for the subscriber", () => answered(told).length >= 2, 60_000);
    await eventually("the one that was refused", () => told.filter(({ id }) => id === told[0]?.id).length >= 2, 30_000);

    await eventually("answers on the topic", async () => (await published("message.answered")).length >= 2, 30_000);
    expect((await published("message.answered"))[0]).toMatchObject({
      type: "message.answered",
      data: { data: { account: "timer" } },
    });

    await gateway.kill();
    const before = (await archived()).length;
    await gateway.start();
    await eventually("more in the folder", async () => (await archived()).length > before + 1, 60_000);
    const log = await gateway.ascent("webhooks", "log", "--limit", "200");
    expect(log.out).toMatch(/to binding archive {2}delivered/);
    expect(log.out).not.toContain("12*7");

    const post = (path: string, token: string | undefined) =>
      fetch(`http://127.0.0.1:${appPort}/${path}`, {
        method: "POST",
        headers: token === undefined ? {} : { "dapr-api-token": token },
      });
    expect((await post("tick", undefined)).status).toBe(401);
    expect((await post("tick", "wrong")).status).toBe(401);
    expect((await post("other", cluster.appToken)).status).toBe(404);
    expect((await fetch(`${gateway.url}/webhooks/in/timer`, { method: "POST" })).status).toBe(404);
  });
});
