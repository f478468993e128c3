import { afterAll, beforeAll, describe } from "vitest";
import { openDapr } from "../../adapters/dapr/index.ts";
import { freePorts } from "../../src/main/dapr/ports.ts";
import { clock, quietLog } from "../integration/embedded-fixture.ts";
import { needsDapr, startCluster, type Cluster } from "../services/dapr.ts";
import { restarting, restartingEmbedded } from "./restarting.ts";
import { taskContract } from "./tasks.ts";

taskContract({ name: "the embedded runtime", make: restartingEmbedded });

const { missing } = await needsDapr();
describe.skipIf(missing)("on Dapr, with Redis", () => {
  let cluster: Cluster | undefined;
  let url = "";
  let appPort = 0;
  beforeAll(async () => {
    cluster = await startCluster({ pubsub: "redis", state: "redis" });
    [appPort = 0] = await freePorts(1);
    ({ url } = await cluster.sidecar({ appPort }));
  }, 240_000);
  afterAll(() => cluster?.close(), 60_000);

  const open = () =>
    openDapr({
      sidecarUrl: url,
      apiToken: cluster?.apiToken,
      appToken: cluster?.appToken ?? "",
      listen: { host: "127.0.0.1", port: appPort },
      clock,
      log: quietLog,
      hosts: false,
      apart: true,
    });

  taskContract({ name: "Dapr", slowness: 4, make: () => restarting(open) });
});
