/** Two replicas of the real gateway on real Dapr: what one does shows at the other, and roles scale apart. */
import { equal, ok } from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { createParser } from "eventsource-parser";
import { afterAll, beforeAll, describe, onTestFinished, test } from "vitest";
import type { Role } from "../../src/main/roles.ts";
import { startOpenAiFake, type OpenAiFake } from "../fakes/openai.ts";
import { needsDapr, startCluster, type Cluster } from "../services/dapr.ts";
import { startReplica, type ReplicaOptions } from "./dapr-replica.ts";
import type { GatewayProcess } from "./gateway-process.ts";

const { missing } = await needsDapr();

interface Told {
  readonly event: string;
  readonly data: string;
}

/** A browser: a session, its stream on one replica, and messages sent to any. */
async function browser(streamAt: string) {
  const session = await fetch(`${streamAt}/api/session`, {
    method: "POST",
    headers: { "content-type": "application/json", origin: streamAt },
    body: "{}",
  });
  const cookie = session.headers.get("set-cookie")?.split(";")[0] ?? "";
  const told: Told[] = [];
  const end = new AbortController();
  onTestFinished(() => end.abort());
  const stream = await fetch(`${streamAt}/api/events`, { headers: { cookie }, signal: end.signal });
  equal(stream.status, 200);
  const parser = createParser({ onEvent: ({ event = "message", data }) => void told.push({ event, data }) });
  void (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of stream.body ?? []) parser.feed(decoder.decode(chunk, { stream: true }));
  })().catch(() => undefined);
  return {
    told,
    async say(at: string, text: string) {
      const response = await fetch(`${at}/api/messages`, {
        method: "POST",
        headers: { "content-type": "application/json", origin: at, cookie },
        body: JSON.stringify({ id: crypto.randomUUID(), text }),
      });
      equal(response.status, 202, await response.text());
    },
    async until(holds: (told: readonly Told[]) => boolean, what: string, ms = 30_000) {
      for (const end = performance.now() + ms; performance.now() < end; await sleep(20)) if (holds(told)) return;
      throw new Error(`never came: ${what}; ${told.map(({ event }) => event).join(" ")}`);
    },
  };
}

const answered = (told: readonly Told[], text: string) =>
  told.some(({ event, data }) => event === "message" && data.includes('"agent"') && data.includes(text));
const grew = (told: readonly Told[]) => told.filter(({ event }) => event === "delta").length;

describe.skipIf(missing)("replicas on Dapr", () => {
  let cluster: Cluster;
  let model: OpenAiFake;

  beforeAll(async () => {
    cluster = await startCluster({ pubsub: "redis", state: "redis" });
    model = await startOpenAiFake({ apiKey: "sk-test", models: ["test"], tokensPerSecond: 20 });
    await model.rule({ reply: { text: Array.from({ length: 40 }, (_, n) => `word${n}`).join(" ") } });
  }, 120_000);
  afterAll(async () => {
    await model?.close();
    await cluster?.close();
  }, 60_000);

  const replica = (options: ReplicaOptions = {}) => startReplica(cluster, options);

  async function answering(role: Role, signals: boolean): Promise<GatewayProcess> {
    const env = {
      ASCENT_MODEL: "compatible:test",
      OPENAI_API_KEY: "sk-test",
      OPENAI_BASE_URL: `${model.url}/v1`,
      ...(signals ? { REDIS_URL: `redis://${cluster.env["REDIS_HOST"]}` } : {}),
    };
    return (await replica({ role, env })).gateway;
  }

  test("a browser at the channels' replica sees the answer grow at the agents'", async () => {
    const [channels, agents] = await Promise.all([answering("gateway", true), answering("agents", true)]);
    const { told, say, until } = await browser(channels.url);
    await say(channels.url, "hello");
    await until((all) => answered(all, "word39"), "the answer");
    ok(grew(told) > 3, `it grew: ${grew(told)} times`);
    const page = await fetch(`${agents.url}/api/session`, { method: "POST" });
    equal(page.status, 404, "the agents' replica answers no person");
    equal((await fetch(`${agents.url}/healthz`)).status, 200);
  }, 120_000);

  test("of two whole replicas either takes a message, and the browser's own shows it at once", async () => {
    const [one, other] = await Promise.all([answering("all", true), answering("all", true)]);
    for (const at of [one.url, other.url]) {
      const { told, say, until } = await browser(one.url);
      await say(at, "hello");
      await until((all) => answered(all, "word39"), "the answer", 12_000);
      ok(grew(told) > 3, `it grew: ${grew(told)} times`);
    }
  }, 120_000);

  test("without signals an answer that another replica writes comes all the same", async () => {
    const [one, other] = await Promise.all([answering("all", false), answering("all", false)]);
    const { say, until } = await browser(one.url);
    for (const at of [one.url, other.url]) await say(at, `hello ${at}`);
    await until((all) => answered(all, "word39"), "the answer", 40_000);
  }, 120_000);

  test("whoever lacks the application's token gets nothing from its port", async () => {
    const { appPort } = await replica();
    for (const headers of [{}, { "dapr-api-token": "" }, { "dapr-api-token": `${cluster.appToken}x` }]) {
      for (const [method, path] of [
        ["POST", "/events/inbound"],
        ["PUT", "/actors/ClientAgent/a/method/receive"],
        ["PUT", "/actors/ClientAgent/a/method/remind/watchdog"],
        ["DELETE", "/actors/ClientAgent/a"],
        ["POST", "/job/any"],
        ["GET", "/dapr/config"],
        ["GET", "/dapr/subscribe"],
      ] as const) {
        const body = method === "GET" ? {} : { body: "{}" };
        const response = await fetch(`http://127.0.0.1:${appPort}${path}`, { method, headers, ...body });
        equal(response.status, 401, `${method} ${path}`);
      }
    }
  }, 120_000);
});
