import { describe } from "vitest";
import { createRecords } from "../../adapters/dapr/records.ts";
import { awaitComponents, connectSidecar } from "../../adapters/dapr/sidecar.ts";
import { freePorts } from "../../src/main/dapr/ports.ts";
import { clock } from "../integration/embedded-fixture.ts";
import { needsDapr, startCluster, type State } from "../services/dapr.ts";
import { budgetsContract } from "./budgets.ts";

const { missing } = await needsDapr();

for (const state of ["redis", "postgresql"] satisfies State[]) {
  describe.skipIf(missing)("two replicas", () => {
    budgetsContract({
      name: `Dapr with ${state}`,
      shared: true,
      async open() {
        const cluster = await startCluster({ pubsub: "redis", state });
        const replicas = [1, 2].map(async () => {
          const [appPort = 0] = await freePorts(1);
          const { url } = await cluster.sidecar({ appPort });
          const sidecar = connectSidecar({ url, token: cluster.apiToken });
          await awaitComponents(sidecar, url);
          return createRecords(sidecar, clock);
        });
        return { records: await Promise.all(replicas), close: () => cluster.close() };
      },
    });
  });
}
