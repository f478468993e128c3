/** Settings and secrets that a gateway takes from its sidecar's stores. */
import { equal, match } from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { afterAll, beforeAll, describe, onTestFailed, onTestFinished, test } from "vitest";
import { freePorts } from "../../src/main/dapr/ports.ts";
import { needs } from "../needs.ts";
import { needsDapr, startCluster, type Cluster } from "../services/dapr.ts";
import { createGateway } from "./gateway-process.ts";

const { missing } = await needsDapr();
const cli = needs("redis-cli");

describe.skipIf(missing || cli.missing)("a gateway without a file and without secrets of its own", () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await startCluster({ pubsub: "redis", state: "redis" });
  }, 120_000);
  afterAll(() => cluster?.close(), 60_000);

  test("takes both from Dapr's stores, the secret of a reference in the settings too", async () => {
    const settings = ["agents:", "  assistant: { name: Stored }", "models: { openai: { apiKey: '${VAULT_KEY}' } }"];
    const [, redisPort = ""] = (cluster.env["REDIS_HOST"] ?? "").split(":");
    execFileSync(cli.path, ["-p", redisPort, "set", "ascent.yaml", settings.join("\n")]);
    const [appPort = 0] = await freePorts(1);
    const sidecar = await cluster.sidecar({
      appPort,
      resources: [...cluster.resources, join(import.meta.dirname, "../../dapr/components/configuration/redis")],
      env: {
        ...cluster.env,
        VAULT_KEY: "sk-from-the-store",
        WEBHOOK_SECRET: `whsec_${randomBytes(32).toString("base64")}`,
      },
    });
    const gateway = await createGateway({
      env: () => ({
        ASCENT_RUNTIME: "dapr",
        ASCENT_MODEL: "demo",
        DAPR_HTTP_PORT: String(sidecar.httpPort),
        DAPR_API_TOKEN: cluster.apiToken,
        APP_API_TOKEN: cluster.appToken,
        APP_PORT: String(appPort),
      }),
    });
    onTestFailed(() => console.error(gateway.tail(), cluster.tail(10)));
    onTestFinished(async () => {
      await gateway.close();
      await sidecar.kill();
    });
    await gateway.start();
    const headers = { "content-type": "application/json", origin: gateway.url };
    const session = await fetch(`${gateway.url}/api/session`, { method: "POST", headers, body: "{}" });
    match(await session.text(), /"name":"Stored"/);
    const unsigned = await fetch(`${gateway.url}/webhooks/in`, { method: "POST", headers, body: "{}" });
    equal(unsigned.status, 401, "webhooks are on, and signed");
    match(gateway.output(), /settings +ascent\.yaml in Dapr's configuration store/);
    equal(gateway.output().includes("sk-from-the-store"), false);
  }, 60_000);
});
