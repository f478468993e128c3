/** A skilled agent as an application of its own on real Dapr: found by its record, called by way of the sidecars. */
import type { Task } from "@a2a-js/sdk";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { internalHeaders } from "../../adapters/a2a/callers.ts";
import { openDapr } from "../../adapters/dapr/index.ts";
import { openAgentService } from "../../src/main/agent-service.ts";
import { loadConfig } from "../../src/main/config.ts";
import { freePorts } from "../../src/main/dapr/ports.ts";
import { skill } from "../../src/main/skills.ts";
import { createRegistry } from "../../src/registry.ts";
import { agentOf, textOf } from "../services/a2a.ts";
import { a2aClient, requestOf, textsOf } from "../services/a2a-client.ts";
import { needsDapr, startCluster } from "../services/dapr.ts";
import { agentSidecar } from "./dapr-replica.ts";
import { delegateKey, startDelegate } from "./delegate-process.ts";
import { clock, quietLog } from "./embedded-fixture.ts";

const { missing } = await needsDapr();

describe.skipIf(missing)("on Dapr", () => {
  test("is found and called by the gateway, and by nobody else", { timeout: 300_000 }, async () => {
    const cluster = await startCluster({ pubsub: "redis", state: "redis", mtls: true });
    onTestFinished(() => cluster.close(), 60_000);
    const [appPort = 0, gatewayPort = 0, port = 0] = await freePorts(3);
    const config = join(import.meta.dirname, "../../dapr/config/agent.yaml");
    const own = await cluster.sidecar({ appPort, appId: "ascent-scheduler", config });
    const settings = await loadConfig({
      ASCENT_RUNTIME: "dapr",
      DAPR_HTTP_ENDPOINT: own.url,
      DAPR_API_TOKEN: cluster.apiToken,
      APP_API_TOKEN: cluster.appToken,
      APP_PORT: String(appPort),
      HOST: "127.0.0.1",
      PORT: String(port),
    });
    const scheduler = agentOf(async (run) => {
      if (run.because === "said") return { kind: "waiting", until: Date.now() + 1_000 };
      return { kind: "completed", parts: [{ kind: "text", text: `did ${textOf(run)}` }] };
    }, "scheduler");
    const kinds = { scheduler: skill({ settings: z.object({}), on: true, make: () => scheduler }) };
    const service = await openAgentService({ config: settings, name: "scheduler", clock, log: quietLog, kinds });
    onTestFinished(() => service.stop());
    await service.start();

    const sidecar = await cluster.sidecar({ appPort: gatewayPort });
    const listen = { host: "127.0.0.1", port: gatewayPort };
    const options = { apiToken: cluster.apiToken, appToken: cluster.appToken, listen, clock, log: quietLog };
    const gateway = await openDapr({ sidecarUrl: sidecar.url, ...options });
    onTestFinished(() => gateway.stop(0));
    await gateway.start();

    const registry = createRegistry({ records: gateway.records, clock, log: quietLog });
    await expect
      .poll(() => registry.find("scheduler"), { timeout: 10_000 })
      .toMatchObject({
        app: "ascent-scheduler",
        address: `http://127.0.0.1:${port}`,
      });
    const secret = (await gateway.records.get("secret"))?.value as string;
    const invoke = (path: string, body: object, headers: Readonly<Record<string, string>>) =>
      fetch(`${sidecar.url}/v1.0/invoke/ascent-scheduler/method/${path}`, {
        method: "POST",
        headers: {
          "dapr-api-token": cluster.apiToken,
          "content-type": "application/json",
          "a2a-version": "1.0",
          ...headers,
        },
        body: JSON.stringify(body),
      });
    const rpc = (method: string, params: object) => ({ jsonrpc: "2.0", id: 1, method, params });
    const message = { messageId: "m1", role: "ROLE_USER", parts: [{ text: "this" }] };
    const call = (method: string, params: object) =>
      invoke("a2a/scheduler", rpc(method, params), internalHeaders(secret, { tenant: "t", id: "ann" }));

    const sent = (await (await call("SendMessage", { message })).json()) as { result: { task: { id: string } } };
    const { id } = sent.result.task;
    await expect
      .poll(async () => JSON.stringify(await (await call("GetTask", { id })).json()), { timeout: 15_000 })
      .toContain("did this");
    expect((await invoke("a2a/scheduler", rpc("GetTask", { id }), {})).status).toBe(401);
    // What belongs to its own sidecar is nobody else's to call.
    for (const path of ["job/x", "actors/x/y", "events/inbound"])
      expect((await invoke(path, {}, {})).status).toBeGreaterThanOrEqual(403);
    await service.stop();
    expect(await registry.find("scheduler")).toBeUndefined();
  });

  test("finds another that runs as an application, and gives it a task", { timeout: 300_000 }, async () => {
    const cluster = await startCluster({ pubsub: "redis", state: "redis", mtls: true });
    onTestFinished(() => cluster.close(), 60_000);
    const open = async (name: string, appId: string) =>
      startDelegate((await agentSidecar(cluster, appId)).env, {}, name);
    const other = await open("other", "ascent-researcher");
    const tester = await open("tester", "ascent-analyst");
    const headers = { authorization: `Bearer ${delegateKey}` };
    const client = await a2aClient({ url: tester.url, agent: "tester", headers });
    const told = async (words: string) => textsOf((await client.sendMessage(requestOf(words))) as Task).join();
    expect(await told("onward other quick")).toContain("other told me: quick is done");
    // They ask each other: it ends where it comes round.
    expect(await told("onward other onward tester onward other quick")).toMatch(/in a circle/);
    await other.kill();
  });
});
