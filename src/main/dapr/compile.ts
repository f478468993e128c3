/** Builds Dapr's programs from dapr/runtime with Go. */
import { spawn } from "node:child_process";
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { corrected, corrections } from "./corrections.ts";

export interface Compilation {
  /** Path of the go program. */
  readonly go: string;
  /** dapr/runtime */
  readonly source: string;
  readonly version: string;
  /** Where the programs go. */
  readonly folder: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

const dapr = "github.com/dapr/dapr";

/**
 * Go builds copies of the modules that are corrected: it refuses to overlay those in its cache.
 * @throws with what the compiler said, or where a module is not the one that its correction was made for.
 */
export async function compile({ go, source, version, folder, env }: Compilation): Promise<void> {
  const run = (...args: readonly string[]) => runGo(go, args, source, env, version);
  const work = await mkdtemp(join(tmpdir(), "ascent-dapr-build-"));
  try {
    let description = await readFile(join(source, "go.mod"), "utf8");
    for (const [at, module] of [...new Set(corrections.map((correction) => correction.module))].entries()) {
      const kept = (await run("mod", "download", "-json", module)).match(/"Dir": "([^"]+)"/)?.[1];
      if (kept === undefined) throw new Error(`Go does not say where it keeps ${module}`);
      const copy = join(work, String(at));
      await copyModule(kept, copy);
      for (const correction of corrections.filter((of) => of.module === module)) {
        const file = join(copy, correction.file);
        const text = corrected(await readFile(file, "utf8"), correction);
        // What is copied from the cache is read-only.
        await rm(file);
        await writeFile(file, text);
      }
      description += `\nreplace ${module} => ${copy}\n`;
    }
    await writeFile(join(work, "go.mod"), description);
    await copyFile(join(source, "go.sum"), join(work, "go.sum"));
    const flags = [`-modfile=${join(work, "go.mod")}`, "-mod=readonly", "-trimpath", "-tags", "stablecomponents"];
    const link = ["-ldflags", `-s -w -X ${dapr}/pkg/buildinfo.version=${version}`];
    await run("build", ...flags, ...link, "-o", `${folder}/`, "./cmd/...");
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Without tests, and with folders that may be written: those in Go's cache may not. */
async function copyModule(from: string, to: string): Promise<void> {
  for (const entry of await readdir(from, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isFile() || path.endsWith("_test.go")) continue;
    const target = join(to, relative(from, path));
    await mkdir(dirname(target), { recursive: true });
    await copyFile(path, target);
  }
}

async function runGo(
  go: string,
  args: readonly string[],
  cwd: string,
  env: Compilation["env"],
  version: string,
): Promise<string> {
  const child = spawn(go, args, { cwd, env: { ...env, CGO_ENABLED: "0" }, stdio: ["ignore", "pipe", "pipe"] });
  const end = () => void child.kill("SIGKILL");
  process.once("exit", end);
  const said = { out: "", err: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => (said.out += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said.err = (said.err + text).slice(-4_000)));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  process.removeListener("exit", end);
  if (code === 0) return said.out;
  throw new Error(`Dapr ${version} could not be built (go ${args[0]} in ${cwd}):\n${said.err.trim()}`);
}
