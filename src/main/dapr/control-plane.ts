/** Dapr's services that sidecars depend on: placement (who hosts which actor), scheduler (reminders, jobs), sentry (mTLS). */
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { DaprBinaries } from "./binaries.ts";
import { freePorts } from "./ports.ts";
import { answers, startService, stopAll, type Exit, type Log, type Service } from "./processes.ts";

export interface ControlPlaneOptions {
  readonly binaries: DaprBinaries;
  /** Kept between starts: the scheduler's database (reminders and jobs), sentry's root certificate, the table of names. */
  readonly folder: string;
  readonly log: Log;
  /** Sidecars and these services speak TLS with certificates from sentry. */
  readonly mtls?: boolean;
  readonly onExit?: (service: string, exit: Exit) => void;
}

export interface ControlPlane {
  readonly placement: Service;
  readonly scheduler: Service;
  /** There with mTLS only. */
  readonly sentry: Service | undefined;
  /** host:port */
  readonly placementAddress: string;
  readonly schedulerAddress: string;
  /** What a sidecar is told with mTLS. */
  readonly trust: Trust | undefined;
  /** The SQLite file by which sidecars find one another. */
  readonly names: string;
  stop(): Promise<void>;
}

export interface Trust {
  readonly sentryAddress: string;
  /** The root certificate, as PEM. */
  readonly anchors: string;
}

const host = "127.0.0.1";
const configFolder = join(import.meta.dirname, "../../../dapr/config");
const schedulerId = "dapr-scheduler-server-0";
const namespace = { NAMESPACE: "default" };

export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { binaries, folder, log, mtls = false, onExit } = options;
  await mkdir(folder, { recursive: true });
  const started: Service[] = [];
  const start = async (name: string, command: string, flags: Flags, port: number, secured: Trust | undefined) => {
    const service = await startService({
      name,
      command,
      args: toArgs({ ...flags, "log-as-json": true, ...(secured && (await tlsFlags(secured, folder))) }),
      env: secured ? namespace : {},
      healthy: () => answers(`http://${host}:${port}/healthz`),
      log,
      ...(onExit && { onExit: (exit: Exit) => onExit(name, exit) }),
    });
    started.push(service);
    return service;
  };
  try {
    const secured = mtls ? await startSentry(options, start) : undefined;
    const [port = 0, health = 0, metrics = 0, raft = 0] = await freePorts(4);
    const placement = await start(
      "placement",
      binaries.placement,
      {
        ...served(port, health, metrics),
        id: "placement",
        "initial-cluster": `placement=${host}:${raft}`,
      },
      health,
      secured?.trust,
    );
    const [schedule = 0, scheduleHealth = 0, scheduleMetrics = 0, peer = 0, client = 0] = await freePorts(5);
    const scheduler = await start(
      "scheduler",
      binaries.scheduler,
      {
        ...served(schedule, scheduleHealth, scheduleMetrics),
        // The name that its certificate is made for.
        id: schedulerId,
        "etcd-data-dir": join(folder, "scheduler"),
        "etcd-initial-cluster": `${schedulerId}=${secured ? "https" : "http"}://${host}:${peer}`,
        "etcd-client-port": client,
        "etcd-client-listen-address": host,
        "override-broadcast-host-port": `${host}:${schedule}`,
        "identity-directory-write": join(folder, "scheduler-identity"),
      },
      scheduleHealth,
      secured?.trust,
    );
    return {
      placement,
      scheduler,
      sentry: secured?.sentry,
      placementAddress: `${host}:${port}`,
      schedulerAddress: `${host}:${schedule}`,
      trust: secured?.trust,
      names: join(folder, "names.db"),
      stop: () => stopAll(started),
    };
  } catch (error) {
    await stopAll(started);
    throw error;
  }
}

type Flags = Readonly<Record<string, string | number | boolean>>;

export function toArgs(flags: Flags): string[] {
  return Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
}

function served(port: number, health: number, metrics: number): Flags {
  return {
    port,
    "listen-address": host,
    "healthz-port": health,
    "healthz-listen-address": host,
    "metrics-port": metrics,
    "metrics-listen-address": host,
  };
}

async function startSentry(
  { binaries, folder }: ControlPlaneOptions,
  start: (name: string, command: string, flags: Flags, port: number, secured: undefined) => Promise<Service>,
): Promise<{ readonly sentry: Service; readonly trust: Trust }> {
  if (binaries.sentry === undefined) {
    throw new Error(
      "mTLS needs sentry, which the installed Dapr is without: unset ASCENT_DAPR_BIN, or install it beside daprd",
    );
  }
  const credentials = credentialsIn(folder);
  await mkdir(credentials, { recursive: true });
  const [port = 0, health = 0, metrics = 0] = await freePorts(3);
  const flags = {
    ...served(port, health, metrics),
    // It makes a root certificate at its first start, and keeps it here.
    "issuer-credentials": credentials,
    config: join(configFolder, "mtls.yaml"),
  };
  const sentry = await start("sentry", binaries.sentry, flags, health, undefined);
  const anchors = await readFile(join(credentials, "ca.crt"), "utf8");
  return { sentry, trust: { sentryAddress: `${host}:${port}`, anchors } };
}

function credentialsIn(folder: string): string {
  return join(folder, "sentry");
}

async function tlsFlags({ sentryAddress }: Trust, folder: string): Promise<Flags> {
  return {
    "tls-enabled": true,
    "sentry-address": sentryAddress,
    "trust-anchors-file": join(credentialsIn(folder), "ca.crt"),
  };
}
