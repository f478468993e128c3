/** Dapr for one contender, with nothing shared: its own Redis, placement, scheduler and sidecar, as `npm run dapr` starts them. */
import type { Sidecar } from "../../../src/main/dapr/sidecar.ts";
import { startCluster, type Cluster, type PubSub } from "../../services/dapr.ts";
import { freePort, within, type Launched, type Session } from "../session.ts";

export interface Stack {
  readonly cluster: Cluster;
  readonly sidecar: Sidecar;
  /** What an application beside this sidecar is told. */
  readonly env: Readonly<Record<string, string>>;
  readonly redisUrl: string;
  /** Everything of Dapr's, by the names that the figures use. Redis is broker and store. */
  readonly processes: Readonly<Record<"sidecar" | "placement" | "scheduler" | "redis", number>>;
}

export async function startStack(session: Session, pubsub: PubSub = "redis"): Promise<Stack> {
  const cluster = await within(120_000, "the start of Dapr", startCluster({ pubsub, state: "redis" }));
  session.defer(cluster.close);
  const appPort = await freePort();
  const sidecar = await cluster.sidecar({ appPort, logLevel: "warn" });
  const { placement, scheduler } = cluster.controlPlane;
  return {
    cluster,
    sidecar,
    env: {
      DAPR_HTTP_PORT: String(sidecar.httpPort),
      DAPR_API_TOKEN: cluster.apiToken,
      APP_API_TOKEN: cluster.appToken,
      APP_PORT: String(appPort),
    },
    redisUrl: `redis://${cluster.env["REDIS_HOST"]}`,
    processes: {
      sidecar: sidecar.pid ?? -1,
      placement: placement.pid ?? -1,
      scheduler: scheduler.pid ?? -1,
      redis: cluster.pubsub.pid ?? -1,
    },
  };
}

/** The processes of an application and its stack. */
export function withApp(stack: Stack, app: Launched): Readonly<Record<string, number>> {
  return { app: app.pid, ...stack.processes };
}
