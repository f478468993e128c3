/** Ours and the rivals, each started the same way: the same bot API, model, instructions and amount of history. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { needs } from "../needs.ts";
import { handicapArgs, handicapSettings, type Handicap } from "./handicap.ts";
import { cpuMsOf, residentMbOf, writtenBytesOf } from "./proc.ts";
import { freePort, root, until, within, type Launched, type Session } from "./session.ts";
import { tokenOf, type World } from "./world.ts";

export const contenderNames = ["ours", "grammy", "chat-sdk"] as const;
export type ContenderName = (typeof contenderNames)[number];

export interface Contender {
  readonly name: ContenderName;
  readonly people: ReturnType<World["people"]>;
  /** Of all its processes so far. */
  cpuMs(): number;
  residentMb(): number;
  writtenBytes(): number;
  stop(): Promise<void>;
}

export const model = "fake-model";
export const instructions =
  "You are a helpful assistant. Answer in the language of the person, briefly and to the point.";
export const rivals = join(root, "tests/bench/rivals");

export interface StartOptions {
  readonly session: Session;
  readonly world: World;
  /** Which of the world's bots it is. */
  readonly bot?: number;
  readonly handicap?: Handicap;
  /** Further arguments for Node.js. */
  readonly nodeArgs?: readonly string[];
  /** Of the gateway, beside its own. */
  readonly env?: Readonly<Record<string, string>>;
  readonly settings?: object;
  /** False: the web page alone. */
  readonly telegram?: boolean;
}

export async function startContender(name: ContenderName, options: StartOptions): Promise<Contender> {
  const { world, bot = 0 } = options;
  const processes = name === "ours" ? [(await startGateway(options)).process] : await startRival(name, options);
  const pids = processes.map(({ pid }) => pid);
  return {
    name,
    people: world.people(tokenOf(bot)),
    cpuMs: () => cpuMsOf(pids),
    residentMb: () => residentMbOf(pids),
    writtenBytes: () => writtenBytesOf(pids),
    async stop() {
      for (const launched of processes) await launched.stop(30_000);
    },
  };
}

export interface Gateway {
  readonly process: Launched;
  readonly url: string;
  readonly dataDirectory: string;
  /** From the start of its process to `/readyz`. */
  readonly startMs: number;
}

/** Ours, durable, with Telegram by polling and the web page on; on the embedded runtime unless `env` says otherwise. */
export async function startGateway(options: StartOptions): Promise<Gateway> {
  const { session, world, bot = 0, handicap = {}, nodeArgs = [], telegram = true } = options;
  const folder = session.folder();
  const config = join(folder, "ascent.yaml");
  // JSON is YAML. The rivals' agent has no tools, and no typing sign or preview is shown by anybody.
  const settings = {
    agents: { assistant: { model: `compatible:${model}`, instructions, tools: [], ...handicapSettings(handicap) } },
    channels: telegram ? { telegram: { main: { preview: false } } } : {},
    models: { timeoutSeconds: 120 },
    ...options.settings,
  };
  writeFileSync(config, JSON.stringify(settings));
  const port = await freePort();
  const began = performance.now();
  const launched = session.launch({
    name: "the gateway",
    command: join(root, "bin/ascent"),
    args: ["start"],
    env: {
      NODE_OPTIONS: [...nodeArgs, ...handicapArgs(handicap)].join(" "),
      PORT: String(port),
      HOST: "127.0.0.1",
      LOG_LEVEL: "warn",
      ASCENT_CONFIG: config,
      ASCENT_MESSAGES_PER_MINUTE: "off",
      ASCENT_DATA: join(folder, "data"),
      ASCENT_MODEL: `compatible:${model}`,
      OPENAI_BASE_URL: world.modelUrl,
      OPENAI_API_KEY: "bench",
      ...(telegram ? { TELEGRAM_BOT_TOKEN: tokenOf(bot), TELEGRAM_API_ROOT: world.telegramUrl } : {}),
      ...options.env,
    },
  });
  const url = `http://127.0.0.1:${port}`;
  await Promise.race([
    session.broken,
    until(
      60_000,
      "the gateway's /readyz",
      async () => {
        const answer = await fetch(`${url}/readyz`).catch(() => undefined);
        await answer?.body?.cancel();
        return answer?.ok ?? false;
      },
      20,
    ),
  ]);
  return { process: launched, url, dataDirectory: join(folder, "data"), startMs: performance.now() - began };
}

/** What bin/ascent starts Node.js with. */
export function gatewayFlags(): string[] {
  return readFileSync(join(root, "bin/ascent"), "utf8").match(/--max-[\w-]+=\d+/g) ?? [];
}

async function startRival(name: "grammy" | "chat-sdk", options: StartOptions): Promise<Launched[]> {
  const { session, world, bot = 0 } = options;
  await installRivals(session);
  const redis = name === "chat-sdk" ? await startRedis(session) : undefined;
  const launched = session.launch({
    name,
    args: [`${name}.ts`],
    cwd: rivals,
    env: {
      MODEL: model,
      INSTRUCTIONS: instructions,
      OPENAI_BASE_URL: world.modelUrl,
      OPENAI_API_KEY: "bench",
      TELEGRAM_BOT_TOKEN: tokenOf(bot),
      TELEGRAM_API_ROOT: world.telegramUrl,
      ...(redis === undefined ? {} : { REDIS_URL: redis.url }),
    },
  });
  await within(60_000, `the start of ${name}`, Promise.race([session.broken, launched.firstLine]));
  return redis === undefined ? [launched] : [launched, redis.process];
}

/** Without persistence: what costs the rival least, and loses all with the process. */
async function startRedis(session: Session): Promise<{ process: Launched; url: string }> {
  const { missing, path } = needs("redis-server");
  if (missing)
    throw new Error("the Chat SDK needs redis-server: apt-get install redis-server, or --contenders ours,grammy");
  const port = await freePort();
  const args = [
    "--port",
    String(port),
    "--bind",
    "127.0.0.1",
    "--save",
    "",
    "--appendonly",
    "no",
    "--dir",
    session.folder(),
  ];
  const launched = session.launch({ name: "redis", command: path, args });
  await Promise.race([session.broken, until(10_000, "the start of redis", () => accepts(port))]);
  return { process: launched, url: `redis://127.0.0.1:${port}` };
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => (socket.destroy(), resolve(true)));
    socket.on("error", () => resolve(false));
  });
}

/** `npm ci`, once for a lockfile. */
export async function installRivals(session: Session): Promise<void> {
  const lockfile = readFileSync(join(rivals, "package-lock.json"), "utf8");
  const mark = join(rivals, "node_modules/.ascent-bench-lock");
  if (existsSync(mark) && readFileSync(mark, "utf8") === lockfile) return;
  console.error("installing the rivals (npm ci in tests/bench/rivals) …");
  const args = ["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline", "--loglevel=error"];
  const install = session.launch({ name: "npm ci for the rivals", command: "npm", args, cwd: rivals, ends: true });
  await within(300_000, "npm ci for the rivals", install.finished);
  writeFileSync(mark, lockfile);
}
