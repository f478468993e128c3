/** Real Dapr for tests: a broker, a store, placement, scheduler, and as many sidecars as a test wants. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { findDapr, type DaprBinaries } from "../../src/main/dapr/binaries.ts";
import { startControlPlane, type ControlPlane } from "../../src/main/dapr/control-plane.ts";
import type { Log } from "../../src/main/dapr/processes.ts";
import { startSidecar, type Sidecar, type SidecarOptions } from "../../src/main/dapr/sidecar.ts";
import type { Needed } from "../needs.ts";
import { startKafka } from "./kafka.ts";
import { startPostgres } from "./postgres.ts";
import { startRabbit } from "./rabbitmq.ts";
import { startRedis } from "./redis.ts";
import { newFolder, type TestService } from "./service.ts";

export type PubSub = "redis" | "redis-small" | "rabbitmq" | "kafka";
export type State = "redis" | "postgresql" | "sqlite";

export interface ClusterOptions {
  readonly pubsub: PubSub;
  readonly state: State;
  /** Servers shared with other clusters; without it the cluster starts its own, and ends them. */
  readonly services?: Services;
  readonly mtls?: boolean;
  /** Told every line of every process, beside what `tail` keeps. */
  readonly log?: Log;
}

export interface Cluster {
  readonly pubsub: TestService;
  /** Undefined for SQLite, which is no server. */
  readonly state: TestService | undefined;
  readonly controlPlane: ControlPlane;
  readonly binaries: DaprBinaries;
  /** What the components' files read. */
  readonly env: Readonly<Record<string, string>>;
  readonly resources: readonly string[];
  readonly appToken: string;
  readonly apiToken: string;
  /** Everything but the application's port has a default; the app id is "ascent". The cluster ends it when it is closed. */
  sidecar(options: Partial<SidecarOptions> & { readonly appPort: number }): Promise<Sidecar>;
  /** The last lines of all processes, for a failed test. */
  tail(lines?: number): string;
  /** Every line with this text that any process printed. */
  said(text: string): string[];
  close(): Promise<void>;
}

/** Servers that are started when first asked for. */
export interface Services {
  get(name: "redis" | "postgresql" | "rabbitmq" | "kafka"): Promise<TestService>;
  close(): Promise<void>;
}

const components = join(import.meta.dirname, "../../dapr/components");
const keptLines = 20_000;

/** Dapr as `npm run dapr:build` leaves it: tests do not build, which takes minutes. As `needs` says of programs. */
export async function needsDapr(): Promise<Needed & { readonly binaries: DaprBinaries | undefined }> {
  const binaries = await findDapr(process.env);
  if (binaries) return { missing: false, path: binaries.daprd, binaries };
  if (process.env["CI"])
    throw new Error("Dapr is not there (npm run dapr:build), and CI is set: nothing may be skipped here");
  console.warn("skipped: Dapr is not there (npm run dapr:build)");
  return { missing: true, path: "", binaries };
}

export function createServices(log?: Log): Services {
  const start = { redis: startRedis, postgresql: startPostgres, rabbitmq: startRabbit, kafka: startKafka };
  const started = new Map<string, Promise<TestService>>();
  return {
    get(name) {
      const service = started.get(name) ?? start[name](log ? { log } : {});
      started.set(name, service);
      return service;
    },
    async close() {
      const services = await Promise.allSettled(started.values());
      await Promise.all(services.flatMap((each) => (each.status === "fulfilled" ? [each.value.close()] : [])));
    },
  };
}

export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const { binaries } = await needsDapr();
  if (binaries === undefined) throw new Error("Dapr is not there (npm run dapr:build)");
  const lines: string[] = [];
  const log: Log = (source, line) => {
    lines.push(`${source} ${line}`);
    if (lines.length > keptLines) lines.splice(0, keptLines / 2);
    options.log?.(source, line);
  };
  const services = options.services ?? createServices(log);
  const folder = await newFolder("dapr");
  const sidecars: Sidecar[] = [];
  let plane: ControlPlane | undefined;
  let named = 0;
  let first: Promise<Sidecar> | undefined;

  async function close(): Promise<void> {
    await Promise.all(sidecars.map((sidecar) => sidecar.kill()));
    for (const service of [plane?.scheduler, plane?.placement, plane?.sentry]) await service?.kill();
    if (options.services === undefined) await services.close();
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }

  try {
    const [pubsub, state, controlPlane] = await Promise.all([
      services.get(options.pubsub === "redis-small" ? "redis" : options.pubsub),
      options.state === "sqlite" ? undefined : services.get(options.state),
      startControlPlane({ binaries, folder, log, mtls: options.mtls ?? false }).then((started) => (plane = started)),
    ]);
    const env = { ...pubsub.env, ...state?.env, SQLITE_FILE: join(folder, "state.db") };
    const resources = ["common", `pubsub/${options.pubsub}`, `state/${options.state}`].map((path) =>
      join(components, path),
    );
    const tokens = { appToken: "token-of-the-app", apiToken: "token-of-the-sidecar" };
    return {
      pubsub,
      state,
      controlPlane,
      binaries,
      env,
      resources,
      ...tokens,
      async sidecar(given) {
        const name = `daprd${++named}`;
        const fixed = { daprd: binaries.daprd, controlPlane, appId: "ascent", resources, env, log, name, ...tokens };
        const start = () => startSidecar({ ...fixed, ...given });
        // The first one alone: two that make PostgreSQL's tables at once refuse each other.
        const starting = first === undefined ? start() : first.then(start, start);
        first ??= starting;
        const sidecar = await starting;
        sidecars.push(sidecar);
        return sidecar;
      },
      tail: (count = 60) => lines.slice(-count).join("\n"),
      said: (text) => lines.filter((line) => line.includes(text)),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
