/** /forget on real Dapr: what a person said in many conversations is in no key of Redis, but the broker's streams, and in no row of PostgreSQL. */
import { randomBytes } from "node:crypto";
import { Redis } from "ioredis";
import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, describe, expect, onTestFailed, onTestFinished, test } from "vitest";
import { startOpenAiFake, type OpenAiFake } from "../fakes/openai.ts";
import { needsDapr, startCluster, type Cluster } from "../services/dapr.ts";
import { createReplica } from "./dapr-replica.ts";
import { dump } from "../services/postgres.ts";

const { missing } = await needsDapr();
const canary = `canary${randomBytes(8).toString("hex")}`;
const secret = `whsec_${randomBytes(32).toString("base64")}`;
const conversations = 40;

/** Keys that hold these bytes; a stream is the broker's. */
async function keysWith(url: string, bytes: string): Promise<string[]> {
  const redis = new Redis(url);
  try {
    const found: string[] = [];
    for (const key of await redis.keys("*")) {
      const type = await redis.type(key);
      if (type === "stream") continue;
      const value: unknown = type === "hash" ? await redis.hgetall(key) : await redis.get(key).catch(() => type);
      if (JSON.stringify([key, value]).includes(bytes)) found.push(key);
    }
    return found;
  } finally {
    redis.disconnect();
  }
}

describe.skipIf(missing).each(["redis", "postgresql"] as const)("/forget with state in %s", (state) => {
  let cluster: Cluster;
  let model: OpenAiFake;

  beforeAll(async () => {
    cluster = await startCluster({ pubsub: "redis", state });
    model = await startOpenAiFake({ apiKey: "sk-test", models: ["test"] });
    model.script(({ turn, toolOutputs }) => {
      const [, name, task] = /^(scheduler|knowledge): (.*)$/m.exec(turn.at(-1) ?? "") ?? [];
      if (name !== undefined && toolOutputs.length === 0)
        return { toolCalls: [{ name: `agent__${name}`, arguments: { task } }] };
      return { text: `you said ${turn.join(" ")} and were told ${toolOutputs.join(" ")}` };
    });
  }, 120_000);
  afterAll(async () => {
    await model?.close();
    await cluster?.close();
  }, 60_000);

  test("leaves nothing of what was said", { timeout: 240_000 }, async () => {
    const env = { ASCENT_MODEL: "compatible:test", OPENAI_API_KEY: "sk-test", OPENAI_BASE_URL: `${model.url}/v1` };
    // The agents' own, which needs no script.
    const skills = { scheduler: { model: "demo", timeZone: "UTC" }, knowledge: { model: "demo" } };
    const replica = await createReplica(cluster, {
      config: { skills },
      env: { ...env, WEBHOOK_SECRET: secret, ASCENT_CONFIG: "ascent.yaml" },
    });
    onTestFinished(async () => {
      await replica.gateway.close();
      await replica.sidecar.kill();
    });
    onTestFailed(() => console.error(replica.gateway.tail()));
    await replica.gateway.start();
    let sent = 0;
    async function says(conversation: string, text: string): Promise<string> {
      const body = JSON.stringify({ conversation, participant: "ann", text, wait: 20 });
      const id = `ann-${(sent += 1)}`;
      const at = new Date();
      const headers = {
        "content-type": "application/json",
        "webhook-id": id,
        "webhook-timestamp": String(Math.floor(at.getTime() / 1_000)),
        "webhook-signature": new Webhook(secret).sign(id, at, body),
      };
      const response = await fetch(`${replica.gateway.url}/webhooks/in`, { method: "POST", headers, body });
      expect(response.status).toBe(200);
      return response.text();
    }
    for (let n = 0; n < conversations; n++) expect(await says(`c${n}`, `${canary} ${n}`)).toContain(canary);
    const reminded = await says("c0", `scheduler: remind me in 2 hours to ${canary}`);
    expect(reminded).toMatch(/I will remind you.*goes on in the background/s);
    expect(await says("c1", `knowledge: what is ${canary}?`)).toContain("There are no documents yet");
    const left = () => placesOf(cluster, canary);
    expect((await left()).length).toBeGreaterThan(conversations);
    expect(await says("c0", "/forget")).toContain("/forget yes");
    expect(await says("c0", "/forget yes")).toContain("I have erased");
    await expect.poll(left, { timeout: 30_000 }).toEqual([]);
    expect(await says("c1", "who am I?")).not.toContain(canary);
  });
});

/** Values stand there as bytes, in hex. */
function decoded(row: string): string {
  return row.replaceAll(/\\\\x([0-9a-f]+)/g, (_all, hex: string) => Buffer.from(hex, "hex").toString());
}

async function placesOf({ env }: Cluster, bytes: string): Promise<string[]> {
  const { REDIS_HOST: redis, POSTGRES_URL: postgres } = env;
  const inRedis = redis === undefined ? [] : await keysWith(`redis://${redis}`, bytes);
  const rows =
    postgres === undefined
      ? []
      : (await dump(postgres))
          .split("\n")
          .map(decoded)
          .filter((row) => row.includes(bytes));
  return [...inRedis, ...rows];
}
