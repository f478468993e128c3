/** `--profile <folder>`: ours alone under --cpu-prof with the load of the scenario "turns"; the profile stays in the folder. */
import { mkdirSync, readdirSync } from "node:fs";
import { resolve } from "node:path";
import { startContender } from "./contenders.ts";
import { shown } from "./figures.ts";
import type { Bench } from "./scenario.ts";
import { startWorld } from "./world.ts";

const users = 32;

export async function profile({ session, handicap, full, say }: Bench, given: string): Promise<string[]> {
  const folder = resolve(given);
  mkdirSync(folder, { recursive: true });
  const world = await startWorld(session);
  const nodeArgs = ["--cpu-prof", `--cpu-prof-dir=${folder}`, "--cpu-prof-interval=500"];
  const ours = await startContender("ours", { session, world, handicap, nodeArgs });
  const before = ours.cpuMs();
  const report = await ours.people.drive({ users, durationMs: full ? 60_000 : 15_000 });
  say(
    `${report.answered} turns, ${shown((ours.cpuMs() - before) / report.answered)} CPU-ms each, the profiler's own time included`,
  );
  await ours.stop(); // the profile is written at the end of the process
  return readdirSync(folder)
    .filter((name) => name.endsWith(".cpuprofile"))
    .map((name) => `${folder}/${name}`);
}
