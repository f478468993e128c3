import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { realpath } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { freePorts } from "../../src/main/dapr/ports.ts";
import { replies, startService } from "../../src/main/dapr/processes.ts";
import { needs } from "../needs.ts";
import { host, newFolder, silent, testService, type ServiceOptions, type TestService } from "./service.ts";

export interface PostgresService extends TestService {
  /** postgres://… of a database whose owner needs no password. */
  readonly url: string;
}

const run = promisify(execFile);
/** PostgreSQL refuses to run as root. */
const user = process.getuid?.() === 0 ? "postgres" : undefined;
const as = user === undefined ? [] : ["setpriv", `--reuid=${user}`, `--regid=${user}`, "--init-groups", "--"];
const said = "\0\x03\0\0user\0ascent\0database\0postgres\0\0";
/** The first message of a client, protocol 3.0. */
const startup = `\0\0\0${String.fromCodePoint(said.length + 4)}${said}`;
const restartMs = 30_000;

/** Its pgvector, which is no program: a package or a build of its own. @throws as {@link needs} does. */
export async function needsPgvector(): Promise<{ readonly missing: boolean }> {
  const { missing, path } = needs("postgres");
  if (missing) return { missing };
  const program = join(dirname(await realpath(path)), "pg_config");
  const { stdout } = await run(program, ["--sharedir"]);
  if (existsSync(join(stdout.trim(), "extension/vector.control"))) return { missing: false };
  if (process.env["CI"]) throw new Error(`${path} has no pgvector, and CI is set: nothing may be skipped here`);
  console.warn("skipped: pgvector is not installed (on Debian postgresql-<major>-pgvector, or .ci/pgvector builds it)");
  return { missing: true };
}

/** What the server's owner has it do. @returns the rows, each in a line. */
export async function query(url: string, statements: string): Promise<string> {
  const program = join(dirname(await realpath(needs("postgres").path)), "psql");
  const args = ["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"];
  return (await run(program, [...args, `--command=${statements}`, url], { maxBuffer: 64 * 1024 * 1024 })).stdout;
}

/** Everything in the database, a row in each line. */
export async function dump(url: string): Promise<string> {
  // The program may be a link: its companions are where it leads.
  const program = join(dirname(await realpath(needs("postgres").path)), "pg_dump");
  return (await run(program, ["--data-only", url], { maxBuffer: 64 * 1024 * 1024 })).stdout;
}

/** Durable as by default: what it has committed survives a SIGKILL. */
export async function startPostgres({ log = silent }: ServiceOptions = {}): Promise<PostgresService> {
  const command = needs("postgres").path;
  const programs = dirname(command);
  const folder = await newFolder("postgres", user);
  const data = join(folder, "data");
  const create = [
    ...as,
    join(programs, "initdb"),
    "-D",
    data,
    "-U",
    "ascent",
    "-A",
    "trust",
    "-E",
    "UTF8",
    "--locale=C",
  ];
  await run(create[0] ?? "", create.slice(1), { cwd: folder });
  const [port = 0] = await freePorts(1);
  const settings = {
    listen_addresses: host,
    port,
    unix_socket_directories: "",
    max_connections: 100,
    shared_buffers: "64MB",
  };
  const service = await startService({
    name: "postgres",
    command,
    args: ["-D", data, ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`])],
    env: { LC_ALL: "C" },
    cwd: folder,
    // "R" asks for authentication; while it recovers the answer is "E".
    healthy: () => replies(port, startup, "R"),
    log,
    // SIGTERM would wait for clients to go.
    stopSignal: "SIGINT",
    ...(user !== undefined && { user }),
  });
  const { restart } = service;
  const url = `postgres://ascent@${host}:${port}/postgres?sslmode=disable`;
  return Object.assign(testService(service, { POSTGRES_URL: url }, { folder }), {
    url,
    /** The backends of a killed server hold its memory for a moment, and a new one refuses to start beside them. */
    async restart() {
      for (const until = performance.now() + restartMs; ; await sleep(200)) {
        try {
          await restart();
          return;
        } catch (error) {
          const early = error instanceof Error && /shared memory|lock file/.test(error.message);
          if (!early || performance.now() > until) throw error;
        }
      }
    },
  });
}
