/** A sidecar whose application is gone, through the daprd that dapr/runtime corrects. */
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { startTakingApp } from "../services/app.ts";
import { needsDapr, startCluster } from "../services/dapr.ts";
import { needs } from "../needs.ts";

const dapr = await needsDapr();
const callers = 32;
const callsEach = 600;

describe.skipIf(dapr.missing || !dapr.binaries?.built || needs("redis-server").missing)(
  "without its application",
  () => {
    test(
      "a sidecar takes no call to an actor for answered, however many come at once",
      { timeout: 120_000 },
      async () => {
        const app = await startTakingApp(["inbound"], ["Probe"]);
        const cluster = await startCluster({ pubsub: "redis", state: "redis" });
        try {
          const sidecar = await cluster.sidecar({ appPort: app.port });
          const call = async (id: number): Promise<number> => {
            const response = await fetch(`${sidecar.url}/v1.0/actors/Probe/${id}/method/hello`, {
              method: "PUT",
              headers: { "dapr-api-token": cluster.apiToken, "content-type": "application/json" },
              body: "{}",
            });
            await response.body?.cancel();
            return response.status;
          };
          for (const until = performance.now() + 60_000; (await call(0)) !== 200; await sleep(50)) {
            if (performance.now() > until) throw new Error(`no actor:\n${cluster.tail()}`);
          }
          await app.close();
          const statuses: Record<number, number> = {};
          await Promise.all(
            Array.from({ length: callers }, async (_, id) => {
              for (let n = 0; n < callsEach; n++) {
                const status = await call(id);
                statuses[status] = (statuses[status] ?? 0) + 1;
              }
            }),
          );
          expect(statuses).toEqual({ 500: callers * callsEach });
        } finally {
          await cluster.close();
        }
      },
    );
  },
);
