/** The runtime that the configuration names, with the secret that all replicas sign with. */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { ConflictError } from "../errors.ts";
import type { Clock, Log, Records, Runtime } from "../ports.ts";
import type { Config } from "./config.ts";
import type { Role } from "./roles.ts";
import { loadSecret } from "./secret.ts";
import { areSeveral, blobBytesOf } from "./tenants.ts";

export interface OpenedRuntime {
  readonly runtime: Runtime;
  /** Once the runtime has started; it never changes. */
  secret(): Promise<string>;
  /** Tells commands on this machine how to reach the gateway. */
  describe(info: Readonly<Record<string, string>>): void;
}

const dayMs = 24 * 60 * 60 * 1_000;

/** @param agent the one skilled agent that the process is for: its data is its own, and it takes no part in messages. */
export async function openRuntime(
  config: Config,
  role: Role,
  clock: Clock,
  log: Log,
  agent?: string,
): Promise<OpenedRuntime> {
  const { blobBytes, blobDays } = config.limits;
  const blobMs = blobDays * dayMs;
  if (config.runtime === "embedded") {
    const directory = agent === undefined ? config.data : join(config.data, "agents", agent);
    const { openEmbedded } = await import("../../adapters/embedded/index.ts");
    const limits = { blobBytes, blobMs, blobBytesOf: blobBytesOf(config), shared: areSeveral(config) };
    const runtime = await openEmbedded({ directory, clock, log, limits });
    const secret = config.secret ?? loadSecret(directory);
    return { runtime, secret: async () => secret, describe: (info) => runtime.describe(info) };
  }
  const { dapr } = config;
  const { openDapr } = await import("../../adapters/dapr/index.ts");
  const runtime = await openDapr({
    sidecarUrl: sidecarUrl(dapr),
    apiToken: dapr.apiToken,
    grpcEndpoint: agent === undefined && role !== "gateway" ? grpcEndpointOf(config.dapr) : undefined,
    appToken: dapr.appToken ?? "",
    listen: { host: dapr.appHost, port: dapr.appPort },
    clock,
    log,
    hosts: agent === undefined && role !== "gateway",
    apart: agent !== undefined,
    blobMs,
  });
  return {
    runtime,
    secret: async () => config.secret ?? sharedSecret(runtime.records),
    describe: () => undefined,
  };
}

export function sidecarUrl({ endpoint, httpPort }: Config["dapr"]): string {
  return endpoint ?? `http://127.0.0.1:${httpPort}`;
}

function grpcEndpointOf({ grpcEndpoint, endpoint, grpcPort }: Config["dapr"]): string {
  return grpcEndpoint ?? `${endpoint === undefined ? "127.0.0.1" : new URL(endpoint).hostname}:${grpcPort}`;
}

/** Made by the first replica that wants it. */
async function sharedSecret(records: Records): Promise<string> {
  const key = "secret";
  const known = await records.get(key);
  if (known !== undefined) return known.value as string;
  const made = randomBytes(32).toString("base64url");
  try {
    await records.put(key, made, { etag: null });
    return made;
  } catch (error) {
    if (error instanceof ConflictError) return sharedSecret(records);
    throw error;
  }
}
