/** The bot in Python has a virtual environment in the user's cache, made once for its list of packages. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { rivals } from "../contenders.ts";
import { needs } from "../../needs.ts";
import { within, type Session } from "../session.ts";

/** @returns the path of its interpreter. */
export async function pythonOf(session: Session): Promise<string> {
  const list = join(rivals, "requirements.txt");
  const name = createHash("sha256").update(readFileSync(list)).digest("hex").slice(0, 16);
  const cache = join(homedir(), ".cache/ascent/bench");
  const folder = join(cache, `python-${name}`);
  const python = join(folder, "bin/python");
  const made = join(folder, "made");
  if (existsSync(made)) return python;
  const { missing, path } = needs("python3");
  if (missing) throw new Error("the bot in Python needs python3 with venv: apt-get install python3-venv");
  console.error("installing the bot in Python (pip install, once) …");
  mkdirSync(cache, { recursive: true });
  rmSync(folder, { recursive: true, force: true });
  const run = async (command: string, args: readonly string[]) => {
    const launched = session.launch({ name: "pip install for the rival", command, args, ends: true });
    await within(300_000, "pip install for the rival", launched.finished);
  };
  await run(path, ["-m", "venv", folder]);
  await run(python, [
    "-m",
    "pip",
    "install",
    "--quiet",
    "--disable-pip-version-check",
    "--report",
    `${made}.part`,
    "-r",
    list,
  ]);
  renameSync(`${made}.part`, made);
  return python;
}
