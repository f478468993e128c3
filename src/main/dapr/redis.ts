/** A Redis of one's own, for a laptop and for tests: everything that it has acknowledged survives its sudden death. */
import { accessSync, constants } from "node:fs";
import { mkdir } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { freePorts } from "./ports.ts";
import { replies, startService, type Exit, type Log, type Service } from "./processes.ts";

export interface RedisOptions {
  /** Path of redis-server: {@link findRedis}. */
  readonly command: string;
  readonly folder: string;
  readonly log: Log;
  readonly onExit?: (exit: Exit) => void;
}

export interface Redis extends Service {
  readonly host: string;
  readonly port: number;
  /** redis://host:port */
  readonly url: string;
}

/** @throws with how to install it, when it is neither where REDIS_SERVER_PATH says nor in PATH. */
export function findRedis(env: Readonly<Record<string, string | undefined>>): string {
  const named = env["REDIS_SERVER_PATH"];
  const folders = (env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
  const found = (named ? [named] : folders.map((folder) => join(folder, "redis-server"))).find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
  if (found !== undefined) return found;
  throw new Error(
    named
      ? `REDIS_SERVER_PATH is ${named}, which is no program: correct it, or unset it`
      : "redis-server is not installed: install it (Debian and Ubuntu: apt install redis-server; macOS: brew install redis), " +
          "or set REDIS_URL to a Redis that runs already",
  );
}

/**
 * On 127.0.0.1 and a free port. Its file has every write before the client hears that it is done: a power cut too takes
 * nothing. With the default of once a second it would take the last one; with Debian's default of no file at all,
 * everything since the last snapshot.
 */
export async function startRedis({ command, folder, log, onExit }: RedisOptions): Promise<Redis> {
  await mkdir(folder, { recursive: true });
  const host = "127.0.0.1";
  const [port = 0] = await freePorts(1);
  const settings = {
    port,
    bind: host,
    dir: folder,
    appendonly: "yes",
    appendfsync: "always",
    // The file above is the truth; snapshots beside it would only cost a fork.
    save: "",
    // Never drops keys for want of memory: a write that does not fit is refused.
    "maxmemory-policy": "noeviction",
    daemonize: "no",
  };
  const service = await startService({
    name: "redis",
    command,
    args: Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]),
    env: {},
    // While it reads its file after a start it answers with an error.
    healthy: () => replies(port, "PING\r\n", "+PONG"),
    log,
    ...(onExit && { onExit }),
  });
  return Object.assign(service, { host, port, url: `redis://${host}:${port}` });
}

/**
 * What the components' files read, from a URL: redis://[user[:password]@]host[:port][/database], rediss:// for TLS.
 * @throws when it is none. The text of the error is without the URL, which may hold a password.
 */
export function redisEnvironment(url: string): Record<string, string> {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  const database = parsed?.pathname.slice(1) || "0";
  if (!parsed?.hostname || !["redis:", "rediss:"].includes(parsed.protocol) || !/^\d+$/.test(database)) {
    throw new Error("REDIS_URL must be redis://[user:password@]host[:port][/database], or rediss:// for TLS");
  }
  return {
    REDIS_HOST: `${parsed.hostname}:${parsed.port || "6379"}`,
    REDIS_USERNAME: decodeURIComponent(parsed.username),
    REDIS_PASSWORD: decodeURIComponent(parsed.password),
    REDIS_TLS: String(parsed.protocol === "rediss:"),
    REDIS_DB: database,
  };
}
