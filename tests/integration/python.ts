/** Python with packages of its own: a virtual environment in the user's cache, made once for its list of packages. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/**
 * @param python the interpreter; @param requirements the file that lists the packages.
 * @returns the path of the environment's interpreter.
 */
export async function pythonWith(python: string, requirements: string): Promise<string> {
  const list = await readFile(requirements);
  const name = createHash("sha256").update(list).digest("hex").slice(0, 16);
  const cache = join(homedir(), ".cache/ascent/tests");
  const folder = join(cache, `python-${name}`);
  const made = join(folder, "bin/python");
  if (existsSync(join(folder, "made"))) return made;
  await mkdir(cache, { recursive: true });
  await rm(folder, { recursive: true, force: true });
  await run(python, ["-m", "venv", folder]);
  const report = join(folder, "made.part");
  const options = ["--quiet", "--disable-pip-version-check", "--report", report];
  await run(made, ["-m", "pip", "install", ...options, "-r", requirements], { timeout: 300_000 });
  await rename(report, join(folder, "made"));
  return made;
}
