/** A replica of the real gateway on real Dapr, or one of its agents: a sidecar of its own, and the process beside it. */
import { join } from "node:path";
import { onTestFailed, onTestFinished } from "vitest";
import { freePorts } from "../../src/main/dapr/ports.ts";
import type { Sidecar, SidecarOptions } from "../../src/main/dapr/sidecar.ts";
import type { Role } from "../../src/main/roles.ts";
import type { Cluster } from "../services/dapr.ts";
import { createGateway, type GatewayOptions, type GatewayProcess } from "./gateway-process.ts";

export interface ReplicaOptions extends Pick<GatewayOptions, "config">, Pick<SidecarOptions, "leaveSeconds"> {
  /** "all" unless given. */
  readonly role?: Role;
  /** What the gateway is told beside what leads it to its sidecar. */
  readonly env?: Readonly<Record<string, string>> | GatewayOptions["env"];
  /** Folders of components beside those of the cluster. */
  readonly resources?: readonly string[];
}

export interface DaprReplica {
  readonly sidecar: Sidecar;
  /** Not started. */
  readonly gateway: GatewayProcess;
  /** Where the sidecar calls it. */
  readonly appPort: number;
}

/** The caller closes the gateway; the cluster ends the sidecar. */
export async function createReplica(
  cluster: Cluster,
  { role = "all", env = {}, config, leaveSeconds, resources = [] }: ReplicaOptions = {},
): Promise<DaprReplica> {
  const [appPort = 0] = await freePorts(1);
  const appId = role === "gateway" ? "ascent-gateway" : "ascent";
  const all = [...cluster.resources, ...resources];
  const sidecar = await cluster.sidecar({
    appPort,
    appId,
    resources: all,
    ...(leaveSeconds === undefined ? {} : { leaveSeconds }),
  });
  const gateway = await createGateway({
    ...(config === undefined ? {} : { config }),
    args: ["--role", role],
    env: (url) => ({
      ...besideSidecar(cluster, sidecar, appPort),
      ...(typeof env === "function" ? env(url) : env),
    }),
  });
  return { sidecar, gateway, appPort };
}

/** The same, started; it ends with the test, and a failed test prints its log. */
export async function startReplica(cluster: Cluster, options: ReplicaOptions = {}): Promise<DaprReplica> {
  const replica = await createReplica(cluster, options);
  onTestFinished(async () => {
    await replica.gateway.close();
    await replica.sidecar.kill();
  }, 60_000);
  onTestFailed(() => console.error(replica.gateway.tail()));
  await replica.gateway.start();
  return replica;
}

/** A sidecar for an agent that is an application of its own, and what that is told to find it. */
export async function agentSidecar(cluster: Cluster, appId: string) {
  const [appPort = 0] = await freePorts(1);
  const config = join(import.meta.dirname, "../../dapr/config/agent.yaml");
  const sidecar = await cluster.sidecar({ appPort, appId, config });
  return { sidecar, env: besideSidecar(cluster, sidecar, appPort) };
}

const besideSidecar = ({ apiToken, appToken }: Cluster, { httpPort, grpcPort }: Sidecar, appPort: number) => ({
  ASCENT_RUNTIME: "dapr",
  DAPR_HTTP_PORT: String(httpPort),
  DAPR_GRPC_PORT: String(grpcPort),
  DAPR_API_TOKEN: apiToken,
  APP_API_TOKEN: appToken,
  APP_PORT: String(appPort),
});
