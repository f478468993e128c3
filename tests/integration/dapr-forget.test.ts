/** /forget on real Dapr: what a person said in many conversations is in no key of Redis, but the broker's streams, and in no row of PostgreSQL. */
import { randomBytes } from "node:crypto";
import { Webhook } from "standardwebhooks";
import { describe, expect, test } from "vitest";
import { needsDapr, type Cluster } from "../services/dapr.ts";
import { dump } from "../services/postgres.ts";
import { keysWith } from "./dapr-redis.ts";
import { startReplica } from "./dapr-replica.ts";
import { openDaprStage } from "./dapr-stage.ts";

const { missing } = await needsDapr();
const canary = `canary${randomBytes(8).toString("hex")}`;
const secret = `whsec_${randomBytes(32).toString("base64")}`;
const conversations = 40;

describe.skipIf(missing).each(["redis", "postgresql"] as const)("/forget with state in %s", (state) => {
  const stage = openDaprStage({ state, provider: { apiKey: "sk-test", models: ["test"] } });

  test("leaves nothing of what was said", { timeout: 240_000 }, async () => {
    const { cluster, model } = stage();
    model.script(({ turn, toolOutputs }) => {
      const [, name, task] = /^(scheduler|knowledge): (.*)$/m.exec(turn.at(-1) ?? "") ?? [];
      if (name !== undefined && toolOutputs.length === 0)
        return { toolCalls: [{ name: `agent__${name}`, arguments: { task } }] };
      return { text: `you said ${turn.join(" ")} and were told ${toolOutputs.join(" ")}` };
    });
    const env = { ASCENT_MODEL: "compatible:test", OPENAI_API_KEY: "sk-test", OPENAI_BASE_URL: `${model.url}/v1` };
    // The agents' own, which needs no script.
    const skills = { scheduler: { model: "demo", timeZone: "UTC" }, knowledge: { model: "demo" } };
    const { gateway } = await startReplica(cluster, {
      config: { skills },
      env: { ...env, WEBHOOK_SECRET: secret, ASCENT_CONFIG: "ascent.yaml" },
    });
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
      const response = await fetch(`${gateway.url}/webhooks/in`, { method: "POST", headers, body });
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

async function placesOf(cluster: Cluster, bytes: string): Promise<string[]> {
  const { POSTGRES_URL: postgres } = cluster.env;
  const inRedis = await keysWith(cluster, (stored) => stored.includes(bytes));
  const rows =
    postgres === undefined
      ? []
      : (await dump(postgres))
          .split("\n")
          .map(decoded)
          .filter((row) => row.includes(bytes));
  return [...inRedis, ...rows];
}
