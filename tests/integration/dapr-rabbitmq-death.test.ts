/** RabbitMQ's sudden death under load, through the component that dapr/runtime corrects. */
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { needs } from "../needs.ts";
import { startTakingApp } from "../services/app.ts";
import { needsDapr, startCluster } from "../services/dapr.ts";

const dapr = await needsDapr();
const publishers = 16;
const kills = 4;
const waitMs = 60_000;

describe.skipIf(dapr.missing || !dapr.binaries?.built || needs("rabbitmq-server").missing)(
  "RabbitMQ killed under load",
  () => {
    test("delivers everything whose publish succeeded", { timeout: 240_000 }, async () => {
      const app = await startTakingApp(["inbound"]);
      const cluster = await startCluster({ pubsub: "rabbitmq", state: "sqlite" });
      try {
        const sidecar = await cluster.sidecar({ appPort: app.port });
        const publish = async (n: number): Promise<boolean> => {
          const response = await fetch(`${sidecar.url}/v1.0/publish/inbound/inbound`, {
            method: "POST",
            headers: { "dapr-api-token": cluster.apiToken, "content-type": "application/json" },
            body: JSON.stringify(n),
            signal: AbortSignal.timeout(20_000),
          }).catch(() => undefined);
          await response?.body?.cancel();
          return response?.status === 204;
        };
        const until = async (holds: () => boolean | Promise<boolean>) => {
          for (const end = performance.now() + waitMs; performance.now() < end; await sleep(100))
            if (await holds()) return;
          throw new Error(`not within ${waitMs} ms:\n${cluster.tail()}`);
        };
        // Until the queue is there, publishes vanish.
        await until(async () => (await publish(-1)) && app.events.length > 0);

        const succeeded: number[] = [];
        let next = 0;
        let loading = true;
        const load = Array.from({ length: publishers }, async () => {
          while (loading) {
            const n = next++;
            if (await publish(n)) succeeded.push(n);
            else await sleep(50);
          }
        });
        for (let kill = 0; kill < kills; kill++) {
          const before = succeeded.length;
          await until(() => succeeded.length > before + 200);
          await cluster.pubsub.kill("SIGKILL");
          await cluster.pubsub.restart();
        }
        const before = succeeded.length;
        await until(() => succeeded.length > before);
        loading = false;
        await Promise.all(load);

        const missing = () => {
          const taken = new Set(app.events.map(({ data }) => data));
          return succeeded.filter((n) => !taken.has(n));
        };
        await until(() => missing().length === 0).catch(() => undefined);
        expect(missing()).toEqual([]);
      } finally {
        await cluster.close();
        await app.close();
      }
    });
  },
);
