/** The runtime contract on real Dapr: one cluster for all tests of a combination, a new application for each. */
import { afterAll, beforeAll, describe } from "vitest";
import { openDapr } from "../../adapters/dapr/index.ts";
import { freePorts } from "../../src/main/dapr/ports.ts";
import type { Sidecar } from "../../src/main/dapr/sidecar.ts";
import { clock, quietLog } from "../integration/embedded-fixture.ts";
import { needsDapr, startCluster, type Cluster, type PubSub, type State } from "../services/dapr.ts";
import { restarting } from "./restarting.ts";
import { runtimeContract } from "./runtime.ts";

export async function daprContract(pubsub: PubSub, state: State): Promise<void> {
  const { missing } = await needsDapr();
  describe.skipIf(missing)(`${pubsub} and ${state}`, () => {
    let cluster: Cluster | undefined;
    let sidecar: Sidecar | undefined;
    let appPort = 0;

    beforeAll(async () => {
      cluster = await startCluster({ pubsub, state });
      [appPort = 0] = await freePorts(1);
      sidecar = await cluster.sidecar({ appPort });
    }, 240_000);
    afterAll(() => cluster?.close(), 60_000);

    const open = () =>
      openDapr({
        sidecarUrl: sidecar?.url ?? "",
        grpcEndpoint: `127.0.0.1:${sidecar?.grpcPort}`,
        apiToken: cluster?.apiToken,
        appToken: cluster?.appToken ?? "",
        listen: { host: "127.0.0.1", port: appPort },
        clock,
        log: quietLog,
      });

    runtimeContract({
      name: `Dapr on ${pubsub} and ${state}`,
      slowness: 4,
      retries: 1,
      make: () => restarting(open),
    });
  });
}
