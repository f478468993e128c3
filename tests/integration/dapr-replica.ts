/** A replica of the real gateway on real Dapr: a sidecar of its own, and the gateway beside it. */
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
      ASCENT_RUNTIME: "dapr",
      DAPR_HTTP_PORT: String(sidecar.httpPort),
      DAPR_GRPC_PORT: String(sidecar.grpcPort),
      DAPR_API_TOKEN: cluster.apiToken,
      APP_API_TOKEN: cluster.appToken,
      APP_PORT: String(appPort),
      ...(typeof env === "function" ? env(url) : env),
    }),
  });
  return { sidecar, gateway, appPort };
}
