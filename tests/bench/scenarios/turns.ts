/** What a turn costs: 32 people in a closed loop with a model that answers at once, ours and the rivals in turns. */
import { startContender, type ContenderName } from "../contenders.ts";
import { median, shown, type Figure } from "../figures.ts";
import { figuresOfOne, measure, ratiosOf, warm, wrongOf, type Running } from "../rounds.ts";
import type { Scenario } from "../scenario.ts";
import { startWorld } from "../world.ts";

const rounds = 5;
const rivalBounds = { grammy: 1.05, "chat-sdk": 0.65 } as const;

export const turns: Scenario = {
  name: "turns",
  limit: { quick: 300, full: 600 },
  async run(bench) {
    const { session, contenders, handicap, full, say } = bench;
    const world = await startWorld(session, { bots: contenders.length });
    const running = new Map<ContenderName, Running>();
    for (const [bot, name] of contenders.entries()) {
      const contender = await startContender(name, { session, world, bot, handicap });
      running.set(name, await warm(contender, full ? 10_000 : 4_000));
    }
    for (let round = 0; round < rounds; round += 1) {
      for (const [name, each] of running) {
        const sample = await measure(world, each, full ? 12_000 : 4_000);
        say(`${name}: ${shown(sample.cpuMs)} CPU-ms per turn, ${shown(sample.turnsPerSecond)} turns/s`);
      }
    }
    return figuresOf(running);
  },
};

function figuresOf(running: ReadonlyMap<ContenderName, Running>): Figure[] {
  const ours = running.get("ours");
  const figures: Figure[] = [...running.values()].flatMap((of) => figuresOfOne(of));
  for (const [name, of] of running) {
    if (ours === undefined || name === "ours") continue;
    const ratios = ratiosOf(ours, of);
    figures.push({
      name: `CPU per turn, ours / ${name}`,
      measured: median(ratios),
      unit: "x",
      bound: { most: rivalBounds[name] },
      detail: `median of ${ratios.length} rounds: ${ratios.map(shown).join(" ")}`,
    });
  }
  if (ours !== undefined) {
    figures.push({
      name: "turns of ours lost, doubled or out of order",
      measured: wrongOf(ours),
      unit: "",
      bound: { most: 0 },
    });
  }
  return figures;
}
