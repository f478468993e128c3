/** Dapr's programs: those that are installed, or else built once from dapr/runtime into a cache outside the checkout. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { accessSync, constants } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, delimiter, dirname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { compile } from "./compile.ts";
import { corrections } from "./corrections.ts";

/** What is built where none is installed. An installed Dapr is taken when its minor version is the same. */
const version = "1.18.2";
const minor = version.split(".").slice(0, 2).join(".");
const source = resolve(import.meta.dirname, "../../../dapr/runtime");
const pollMs = 500;

export interface DaprBinaries {
  /** Absolute paths. */
  readonly daprd: string;
  readonly placement: string;
  readonly scheduler: string;
  /** The certificate authority, needed for mTLS only; a Dapr that the CLI installed may be without it. */
  readonly sentry: string | undefined;
  /** From dapr/runtime, which corrects mistakes by which an installed Dapr loses messages: docs/dapr.md. */
  readonly built: boolean;
}

export interface BinariesOptions {
  /** PATH, HOME, XDG_CACHE_HOME, ASCENT_DAPR_BIN, and what Go takes from it. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: (line: string) => void;
}

/**
 * The folder that ASCENT_DAPR_BIN names, else an installed Dapr (PATH, then ~/.dapr/bin), else what was built before, else a
 * build. Two calls at once, in whatever processes, build once.
 * @throws with what to do when ASCENT_DAPR_BIN holds no Dapr of this minor version, or neither Dapr nor Go is there.
 */
export async function daprBinaries({ env, log }: BinariesOptions): Promise<DaprBinaries> {
  return (await findDapr(env)) ?? (await buildOnce(await cacheOf(env), env, log));
}

/** As {@link daprBinaries}, but never builds. */
export async function findDapr(env: BinariesOptions["env"]): Promise<DaprBinaries | undefined> {
  const named = env["ASCENT_DAPR_BIN"];
  if (named) {
    const found = await installed([named]);
    if (found) return found;
    throw new Error(
      `ASCENT_DAPR_BIN is ${named}, which does not hold daprd, placement and scheduler of version ${minor}: ` +
        `correct it, or unset it and Ascent looks for an installed Dapr or builds one`,
    );
  }
  return (await installed([...pathOf(env), join(homeOf(env), ".dapr/bin")])) ?? (await complete(await cacheOf(env)));
}

function homeOf(env: BinariesOptions["env"]): string {
  return env["HOME"] ?? homedir();
}

function pathOf(env: BinariesOptions["env"]): string[] {
  return (env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
}

async function cacheOf(env: BinariesOptions["env"]): Promise<string> {
  return join(env["XDG_CACHE_HOME"] || join(homeOf(env), ".cache"), "ascent/dapr", await sourceHash());
}

/** The first folder that holds a Dapr of this minor version. */
async function installed(folders: readonly string[]): Promise<DaprBinaries | undefined> {
  for (const folder of folders) {
    const [daprd, placement, scheduler] = [
      resolve(folder, "daprd"),
      resolve(folder, "placement"),
      resolve(folder, "scheduler"),
    ];
    if (![daprd, placement, scheduler].every(isProgram)) continue;
    const says = await promisify(execFile)(daprd, ["--version"]).catch(() => undefined);
    const sentry = resolve(folder, "sentry");
    if (says?.stdout.trim().startsWith(`${minor}.`)) {
      return { daprd, placement, scheduler, sentry: isProgram(sentry) ? sentry : undefined, built: false };
    }
  }
  return undefined;
}

async function complete(folder: string): Promise<DaprBinaries | undefined> {
  const found = await installed([folder]);
  return found?.sentry === undefined ? undefined : { ...found, built: true };
}

async function sourceHash(): Promise<string> {
  const hash = createHash("sha256").update(`${version} ${process.platform} ${process.arch}\n`);
  hash.update(JSON.stringify(corrections));
  const files = (await readdir(source, { recursive: true })).filter((file) => /\.(go|mod|sum)$/.test(file));
  for (const file of files.toSorted()) hash.update(`${file}\n`).update(await readFile(join(source, file)));
  return hash.digest("hex").slice(0, 16);
}

/**
 * The build goes into a folder of its own that takes its place by one rename: a cache is complete or absent. The lock only
 * saves the second builder its minutes; without it both would build, and the first rename would win.
 */
async function buildOnce(
  cache: string,
  env: BinariesOptions["env"],
  log: BinariesOptions["log"],
): Promise<DaprBinaries> {
  const go = [...pathOf(env), "/usr/local/go/bin"].map((folder) => join(folder, "go")).find(isProgram);
  if (go === undefined) {
    throw new Error(
      `Dapr ${minor} is not installed, and there is no Go to build it with. Install Dapr (https://docs.dapr.io/getting-started, ` +
        `then "dapr init --slim --runtime-version ${version}"), or Go (https://go.dev/dl), and run this again`,
    );
  }
  await mkdir(dirname(cache), { recursive: true });
  const unlock = await lock(`${cache}.lock`, log);
  try {
    const meanwhile = await complete(cache);
    if (meanwhile) return meanwhile;
    for (const left of await readdir(dirname(cache))) {
      // A build that was killed.
      if (left.startsWith(`${basename(cache)}-`))
        await rm(join(dirname(cache), left), { recursive: true, force: true });
    }
    const folder = await mkdtemp(`${cache}-`);
    try {
      log(`building Dapr ${version} with ${go}: about six minutes the first time`);
      await compile({ go, source, version, folder, env });
      await rm(cache, { recursive: true, force: true });
      await rename(folder, cache);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
    const built = await complete(cache);
    if (built) return built;
    throw new Error(`the build of Dapr ${version} left no working daprd in ${cache}`);
  } finally {
    await unlock();
  }
}

/** @returns how to free it. The lock of a process that has died is taken over. */
async function lock(file: string, log: BinariesOptions["log"]): Promise<() => Promise<void>> {
  for (let waits = 0; ; waits++) {
    try {
      await writeFile(file, String(process.pid), { flag: "wx" });
      return () => rm(file, { force: true });
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    }
    const owner = Number(await readFile(file, "utf8").catch(() => ""));
    // A file without a number is being written this very moment, unless it stays so.
    if (owner > 0 ? !isAlive(owner) : await isOlderThan(file, 5_000)) await rm(file, { force: true });
    else if (waits === 0) log(`another process (${owner}) is building Dapr: waiting for it`);
    await sleep(pollMs);
  }
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

async function isOlderThan(file: string, ms: number): Promise<boolean> {
  const found = await stat(file).catch(() => undefined);
  return found !== undefined && Date.now() - found.mtimeMs > ms;
}
