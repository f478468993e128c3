/**
 * `npm run dapr`: the gateway on real Dapr with one command. Starts placement, scheduler, a Redis of its own (unless REDIS_URL
 * names one), the sidecar and the gateway, on free ports, prints what they say as one stream, and ends them in order on
 * Ctrl-C. What is kept is under `<ASCENT_DATA>/dapr`.
 */
import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { announceBeside } from "./beside.ts";
import { daprBinaries } from "./binaries.ts";
import { startControlPlane } from "./control-plane.ts";
import { freePorts } from "./ports.ts";
import { answers, startService, stopAll, type Service } from "./processes.ts";
import { findRedis, redisEnvironment, startRedis } from "./redis.ts";
import { endReplica, startSidecar, type Sidecar } from "./sidecar.ts";

const root = resolve(import.meta.dirname, "../../..");
const resources = ["common", "pubsub/redis", "state/redis"].map((path) => join(root, "dapr/components", path));

/** More than the gateway's own grace usually is. */
const graceSeconds = 30;

type Environment = Readonly<Record<string, string | undefined>>;

/** Runs until SIGINT or SIGTERM, or until one of them ends. @returns the exit code. */
async function run(environment: Environment): Promise<number> {
  const folder = resolve(environment["ASCENT_DATA"] ?? "./data", "dapr");
  mkdirSync(folder, { recursive: true });
  const started: Service[] = [];
  const replica: { sidecar?: Sidecar; gateway?: Service } = {};
  let forget = () => {};
  const over = Promise.withResolvers<number>();
  const onExit = (name: string) => () => {
    say("ascent", `${name} ended, which was not asked for: everything ends`);
    over.resolve(1);
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => over.resolve(0));

  async function start(): Promise<void> {
    const binaries = await daprBinaries({ env: environment, log: (line) => say("dapr", line) });
    if (!binaries.built)
      say(
        "ascent",
        `Dapr is the installed one, ${binaries.daprd}: it has mistakes that can lose messages (docs/dapr.md)`,
      );
    const redisUrl = environment["REDIS_URL"] ?? (await ownRedis());
    const controlPlane = await startControlPlane({
      binaries,
      folder,
      log: quiet,
      onExit: (name) => onExit(name)(),
    });
    started.push(controlPlane.placement, controlPlane.scheduler);
    const tokens = { appToken: token(), apiToken: token() };
    const [appPort = 0] = await freePorts(1);
    const own = defined(environment);
    const sidecar = (replica.sidecar = await startSidecar({
      daprd: binaries.daprd,
      controlPlane,
      appId: "ascent",
      appPort,
      ...tokens,
      resources,
      // Its secret store is the environment: the gateway's tokens and keys too.
      env: { ...own, ...redisEnvironment(redisUrl) },
      log: quiet,
      logLevel: "warn",
      leaveSeconds: graceSeconds + 5,
      onExit: onExit("the sidecar"),
    }));
    const port = environment["PORT"] ?? "3000";
    const host = environment["HOST"] ?? "127.0.0.1";
    const given = {
      ASCENT_RUNTIME: "dapr",
      ASCENT_DAPR_RESOURCES: resources.join(","),
      DAPR_HTTP_PORT: String(sidecar.httpPort),
      DAPR_GRPC_PORT: String(sidecar.grpcPort),
      DAPR_API_TOKEN: tokens.apiToken,
      APP_API_TOKEN: tokens.appToken,
      APP_PORT: String(appPort),
      REDIS_URL: redisUrl,
      PORT: port,
      HOST: host,
    };
    forget = announceBeside(environment, given);
    replica.gateway = await startService({
      name: "gateway",
      command: "sh",
      args: [join(root, "bin/ascent"), "start"],
      env: { ...own, ...given },
      healthy: () => answers(`http://${host}:${port}/readyz`),
      log: say,
      onExit: onExit("the gateway"),
    });
    say(
      "ascent",
      `on Dapr: the page is at http://${host}:${port}, the sidecar at ${sidecar.url}. Ctrl-C ends everything.`,
    );
  }

  async function ownRedis(): Promise<string> {
    const command = findRedis(environment);
    const redis = await startRedis({ command, folder: join(folder, "redis"), log: quiet, onExit: onExit("Redis") });
    started.push(redis);
    return redis.url;
  }

  try {
    await Promise.race([start(), over.promise]);
    return await over.promise;
  } finally {
    say("ascent", "stopping");
    forget();
    const { sidecar, gateway } = replica;
    if (sidecar) await endReplica(sidecar, async () => gateway?.stop(graceSeconds * 1_000));
    await stopAll(started, graceSeconds * 1_000);
  }
}

const token = () => randomBytes(24).toString("base64url");

function defined(environment: Environment): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}

function say(source: string, line: string): void {
  process.stdout.write(`${source.padEnd(9)} ${line}\n`);
}

/** Of Dapr's own programs and Redis only what they warn of. */
function quiet(source: string, line: string): void {
  if (/"level":"(warning|error|fatal)"|^\d+:\w .* [#!] /.test(line))
    say(source, /"msg":"((?:[^"\\]|\\.)*)"/.exec(line)?.[1] ?? line);
}

try {
  // oxlint-disable-next-line no-restricted-properties -- the entry of a command of its own, without a configuration
  process.exitCode = await run(process.env);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
process.exit();
