/** Every channel end to end on both runtimes: the real gateway and SDKs, the platforms' fakes on loopback, real Dapr. */
import { describe } from "vitest";
import { needsDapr, startCluster } from "../services/dapr.ts";
import { createReplica } from "./dapr-replica.ts";
import { createGateway } from "./gateway-process.ts";
import { journey } from "./journey/journey.ts";

describe("on the embedded runtime", () => {
  journey(async ({ env, config }) => {
    const gateway = await createGateway({ config, env });
    return { gateway, patienceMs: 20_000, close: () => gateway.close() };
  });
});

const { missing } = await needsDapr();
describe.skipIf(missing)("on Dapr, with Redis", () => {
  journey(async ({ env, config }) => {
    const cluster = await startCluster({ pubsub: "redis", state: "redis" });
    const secret = { ASCENT_SECRET: "s".repeat(43) };
    const { gateway, sidecar } = await createReplica(cluster, { config, env: (url) => ({ ...env(url), ...secret }) });
    return {
      gateway,
      // A watchdog looks every half minute, and waits for a runner that is silent.
      patienceMs: 120_000,
      neighbour: sidecar,
      async close() {
        await gateway.close();
        await cluster.close();
      },
    };
  });
});
