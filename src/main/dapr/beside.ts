/** How commands find the gateway that `npm run dapr` started: what it was given is kept beside the data while it runs. */
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { z } from "zod";
import type { Environment } from "../environment.ts";

const kept = z.object({ pid: z.number(), environment: z.record(z.string(), z.string()) });

const fileOf = (environment: Environment) => join(resolve(environment["ASCENT_DATA"] ?? "./data"), "dapr/running.json");

/** Readable by its owner alone: tokens stand in it. @returns what removes it. */
export function announceBeside(environment: Environment, given: Readonly<Record<string, string>>): () => void {
  const file = fileOf(environment);
  writeFileSync(file, JSON.stringify({ pid: process.pid, environment: given }), { mode: 0o600 });
  return () => rmSync(file, { force: true });
}

/** The environment of the gateway that runs so, where one does and the caller's own names no runtime. */
export function besideDapr(environment: Environment): Environment {
  const file = fileOf(environment);
  if (environment["ASCENT_RUNTIME"] !== undefined || !existsSync(file)) return environment;
  const found = kept.safeParse(JSON.parse(readFileSync(file, "utf8")));
  if (!found.success || !isAlive(found.data.pid)) return environment;
  return { ...environment, ...found.data.environment };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
