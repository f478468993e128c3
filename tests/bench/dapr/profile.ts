/**
 * `npm run bench -- dapr --profile <folder>`: ours and the floor under the load of "dapr turns", one after the other, each under
 * --cpu-prof, with the processor time of each process and what the sidecar and Redis were asked per turn.
 */
import { mkdirSync, readdirSync } from "node:fs";
import { resolve } from "node:path";
import { shown } from "../figures.ts";
import { users } from "../rounds.ts";
import type { Bench } from "../scenario.ts";
import { startWorld } from "../world.ts";
import { startFloor, startOurs, type OnDapr } from "./contenders.ts";
import { countsOf, perTurn } from "./counts.ts";
import { stateSizeOf } from "./state.ts";

const warmMs = 5_000;

export async function daprProfile(bench: Bench, given: string): Promise<string[]> {
  const { session, handicap } = bench;
  const folder = resolve(given);
  mkdirSync(folder, { recursive: true });
  const world = await startWorld(session, { bots: 2 });
  const nodeArgs = (name: string) => [
    "--cpu-prof",
    `--cpu-prof-dir=${folder}`,
    `--cpu-prof-name=${name}.cpuprofile`,
    "--cpu-prof-interval=500",
  ];
  const ours = await startOurs({ session, world, handicap, nodeArgs: nodeArgs("ours") });
  await profile(ours, bench);
  const { bytes: stateBytes } = await stateSizeOf(ours.stack.redisUrl);
  await ours.app.stop(30_000); // the profile is written at the end of the process
  const floor = await startFloor({ session, world, bot: 1, stateBytes, nodeArgs: nodeArgs("floor") });
  await profile(floor, bench);
  await floor.app.stop(30_000);
  return readdirSync(folder)
    .filter((name) => name.endsWith(".cpuprofile"))
    .map((name) => `${folder}/${name}`);
}

async function profile({ name, people, stack, cpuParts }: OnDapr, { full, say }: Bench): Promise<void> {
  await people.drive({ users, durationMs: warmMs });
  const before = { counts: await countsOf(stack), parts: cpuParts?.() ?? {} };
  const { answered } = await people.drive({ users, durationMs: full ? 60_000 : 15_000, firstTurn: 1_000_000 });
  const parts = Object.entries(cpuParts?.() ?? {}).map(
    ([part, ms]) => `${part} ${shown((ms - (before.parts[part] ?? 0)) / answered)}`,
  );
  say(`${name}: ${answered} turns; CPU-ms of each, the profiler's own time included: ${parts.join(", ")}`);
  for (const [what, count] of perTurn(before.counts, await countsOf(stack), answered)) say(`  ${shown(count)} ${what}`);
}
