/** One daprd beside one application. */
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { toArgs, type ControlPlane } from "./control-plane.ts";
import { freePorts } from "./ports.ts";
import { answers, startService, type Exit, type Log, type Service } from "./processes.ts";

export interface SidecarOptions {
  readonly daprd: string;
  readonly controlPlane: ControlPlane;
  readonly appId: string;
  /** Where the application listens for its sidecar, on 127.0.0.1. It may start later. */
  readonly appPort: number;
  /** Sent with every call to the application, as the header dapr-api-token. */
  readonly appToken: string;
  /** Asked of every caller of the sidecar, as the same header. */
  readonly apiToken: string;
  /** Folders of components and resiliency; subfolders are not read. */
  readonly resources: readonly string[];
  /** What the components' files read: REDIS_HOST, POSTGRES_URL, …, and OTEL_EXPORTER_OTLP_ENDPOINT where traces are wanted. */
  readonly env: Readonly<Record<string, string>>;
  readonly log: Log;
  /** A Configuration; dapr/config/ascent.yaml unless given. */
  readonly config?: string;
  /** Of requests and answers, as a quantity of Kubernetes: the largest state of an actor must fit. */
  readonly maxBodySize?: string;
  readonly logLevel?: "debug" | "info" | "warn" | "error";
  /** How long it serves its application when it is asked to end: the application's grace and a little. Unless given, not at all. */
  readonly leaveSeconds?: number;
  /** Names it in logs where there are several. */
  readonly name?: string;
  readonly onExit?: (exit: Exit) => void;
}

export interface Sidecar extends Service {
  readonly appId: string;
  readonly httpPort: number;
  readonly grpcPort: number;
  readonly metricsPort: number;
  /** http://127.0.0.1:port */
  readonly url: string;
  /** True when it has found its application, subscribed to its topics and can host its actors. */
  ready(): Promise<boolean>;
  /** Reads no more messages, and serves its application for `leaveSeconds` or until `kill`. */
  leave(): void;
}

const host = "127.0.0.1";
const defaultConfig = join(import.meta.dirname, "../../../dapr/config/ascent.yaml");

/**
 * Resolves when its API answers and its components are there. It then waits for the application, asks it for its
 * configuration and subscriptions, and begins to deliver: `ready` tells.
 */
export async function startSidecar(options: SidecarOptions): Promise<Sidecar> {
  const { daprd, controlPlane, appId, appPort, appToken, apiToken, resources, env, log, onExit } = options;
  const { config = defaultConfig, maxBodySize = "64Mi", logLevel = "info", leaveSeconds, name = "daprd" } = options;
  const [http = 0, grpc = 0, internal = 0, metrics = 0] = await freePorts(4);
  await mkdir(dirname(controlPlane.names), { recursive: true });
  const url = `http://${host}:${http}`;
  const { trust } = controlPlane;
  const flags = {
    "app-id": appId,
    "app-port": appPort,
    "app-channel-address": host,
    "dapr-http-port": http,
    "dapr-grpc-port": grpc,
    "dapr-internal-grpc-port": internal,
    "dapr-internal-grpc-listen-address": host,
    "dapr-listen-addresses": host,
    "metrics-port": metrics,
    "metrics-listen-address": host,
    "placement-host-address": controlPlane.placementAddress,
    "scheduler-host-address": controlPlane.schedulerAddress,
    "max-body-size": maxBodySize,
    // No health check of the application. Where deliveries are retried until taken, one that fails stops the
    // subscriptions while messages are in hand, and they come back late or, with Kafka, not before the next start.
    // Without it the sidecar keeps trying, and goes on at once when the application answers.
    "log-as-json": true,
    "log-level": logLevel,
    // SIGTERM ends the subscriptions first. Without it API and actors end with them, under an application that still works.
    ...(leaveSeconds !== undefined && { "dapr-block-shutdown-duration": `${leaveSeconds}s` }),
    ...(trust && { "enable-mtls": true, "sentry-address": trust.sentryAddress }),
  };
  const service = await startService({
    name,
    command: daprd,
    args: [...toArgs(flags), ...resources.map((folder) => `--resources-path=${folder}`), `--config=${config}`],
    env: {
      ...env,
      APP_API_TOKEN: appToken,
      DAPR_API_TOKEN: apiToken,
      ASCENT_DAPR_NAMES: controlPlane.names,
      ...(trust && { NAMESPACE: "default", DAPR_TRUST_ANCHORS: trust.anchors }),
    },
    healthy: () => answers(`${url}/v1.0/healthz/outbound`),
    log,
    ...(onExit && { onExit }),
  });
  // Getters such as `pid` stay what they are: the service is extended, not copied.
  return Object.assign(service, {
    appId,
    httpPort: http,
    grpcPort: grpc,
    metricsPort: metrics,
    url,
    ready: () => answers(`${url}/v1.0/healthz`).catch(() => false),
    leave: () => void service.kill("SIGTERM"),
  });
}

/** What the sidecar has read is with the gateway by then, which answers it before it ends. */
const handOverMs = 1_000;

/**
 * A gateway and its sidecar end in order: the sidecar reads no more, the gateway ends, and the sidecar at once after it. Left
 * alone it would keep the agents, and everybody's calls to them would fail; there is nothing else that it has to finish.
 */
export async function endReplica<Ended>(sidecar: Sidecar, endGateway: () => Promise<Ended>): Promise<Ended> {
  sidecar.leave();
  await sleep(handOverMs);
  try {
    return await endGateway();
  } finally {
    await sidecar.kill();
  }
}
