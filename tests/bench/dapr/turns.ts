/**
 * What a turn costs on Dapr: 32 people in a closed loop with a model that answers at once; ours, the floor and the bot in
 * Python in turns, all of them up and warm the whole time. The floor's state is as large as that of ours.
 */
import { median, shown, type Figure } from "../figures.ts";
import { quietly } from "../quiet.ts";
import { figuresOfOne, measure, ratiosOf, warm, wrongOf, type Running } from "../rounds.ts";
import type { Scenario } from "../scenario.ts";
import { startWorld } from "../world.ts";
import { calmRounds } from "./calm.ts";
import { startFloor, startOurs, startPython } from "./contenders.ts";
import { stateSizeOf } from "./state.ts";

export const daprTurns: Scenario = {
  name: "dapr turns",
  limit: { quick: 420, full: 900 },
  async run({ session, handicap, full, say }) {
    const [rounds, warmMs, roundMs] = full ? [7, 15_000, 12_000] : [5, 6_000, 5_000];
    const quiet = quietly(say);
    const world = await startWorld(session, { bots: 3 });
    const gateway = await startOurs({ session, world, handicap });
    const ours = await warm(gateway, warmMs);
    const { bytes: stateBytes } = await stateSizeOf(gateway.stack.redisUrl);
    const byHand = await startFloor({ session, world, bot: 1, stateBytes });
    const floor = await warm(byHand, warmMs);
    const python = await warm(await startPython({ session, world, bot: 2 }), warmMs);
    const all = [ours, floor, python];
    const counted = await calmRounds({
      rounds,
      all,
      quiet,
      say,
      async measure(each) {
        const sample = await measure(world, each, roundMs);
        const { name } = each.contender;
        say(`${name}: ${shown(sample.cpuMs)} CPU-ms per turn, ${shown(sample.turnsPerSecond)} turns/s`);
        return sample;
      },
    });
    for (const [at, { samples }] of all.entries()) samples.splice(0, samples.length, ...(counted[at] ?? []));
    const sizes = await Promise.all([gateway, byHand].map(({ stack }) => stateSizeOf(stack.redisUrl)));
    return figuresOf(
      { ours, floor, python },
      sizes.map(({ bytes }) => bytes),
    );
  },
};

function figuresOf(
  { ours, floor, python }: Readonly<Record<"ours" | "floor" | "python", Running>>,
  [ownBytes = 0, floorBytes = 0]: readonly number[],
): Figure[] {
  const overFloor = ratiosOf(ours, floor);
  const overPython = ratiosOf(python, ours);
  const listed = (ratios: readonly number[]) => `median of ${ratios.length} rounds: ${ratios.map(shown).join(" ")}`;
  return [
    ...[ours, floor, python].flatMap(figuresOfOne),
    {
      name: "dense: CPU per turn, ours / floor",
      measured: median(overFloor),
      unit: "x",
      bound: { most: 1.3 },
      detail: `${listed(overFloor)}; state of an agent ${shown(ownBytes)} and ${shown(floorBytes)} bytes`,
    },
    {
      name: "turns per core-second, ours / FastAPI",
      measured: median(overPython),
      unit: "x",
      bound: { least: 1.3 },
      detail: listed(overPython),
    },
    { name: "turns of ours lost, doubled or out of order", measured: wrongOf(ours), unit: "", bound: { most: 0 } },
  ];
}
