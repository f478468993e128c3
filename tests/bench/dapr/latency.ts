/**
 * People who write when they please: the time from a message to its answer, ours and the floor in turns, at 30% and at 70% of
 * what the slower of the two can do in a closed loop.
 */
import { median, quantile, shown, type Figure } from "../figures.ts";
import { outcomeOf, pour, type Arrivals } from "../open-loop.ts";
import { quietly } from "../quiet.ts";
import { measure, warm, type Running } from "../rounds.ts";
import type { Scenario } from "../scenario.ts";
import { startWorld } from "../world.ts";
import { startFloor, startOurs } from "./contenders.ts";
import { stateSizeOf } from "./state.ts";

const shares = [0.3, 0.7] as const;
const chats = 400;
const firstChat = 30_000;

export const daprLatency: Scenario = {
  name: "dapr latency",
  limit: { quick: 300, full: 900 },
  async run({ session, handicap, full, say }) {
    const [phases, phaseMs, roundMs] = full ? [5, 20_000, 8_000] : [3, 10_000, 4_000];
    const quiet = quietly(say);
    const world = await startWorld(session, { bots: 2 });
    const gateway = await startOurs({ session, world, handicap });
    const ours = await warm(gateway, 6_000);
    const { bytes: stateBytes } = await stateSizeOf(gateway.stack.redisUrl);
    const floor = await warm(await startFloor({ session, world, bot: 1, stateBytes }), 6_000);
    const both = [ours, floor];
    for (let round = 0; round < 3; round += 1) {
      for (const each of both) {
        await quiet();
        await measure(world, each, roundMs);
      }
    }
    const capacities = both.map(({ samples }) => median(samples.map((sample) => sample.turnsPerSecond)));
    const capacity = Math.min(...capacities);
    say(`turns/s in a closed loop: ${capacities.map(shown).join(" and ")}`);
    const figures: Figure[] = [];
    let firstTurn = 1;
    for (const share of shares) {
      const times = both.map((): number[] => []);
      const medians = both.map((): number[] => []);
      let unanswered = 0;
      for (let phase = 0; phase < phases; phase += 1) {
        for (const [at, each] of both.entries()) {
          await quiet();
          const arrivals = {
            perSecond: capacity * share,
            durationMs: phaseMs,
            seed: phase + 1,
            firstChat,
            chats,
            firstTurn,
          };
          const outcome = await run(each, arrivals);
          times[at]?.push(quantile(outcome.latencies, 0.99));
          medians[at]?.push(median(outcome.latencies));
          unanswered += outcome.sent - outcome.answered;
        }
        firstTurn += 1_000;
      }
      const [own = [], floors = []] = times;
      const ratios = own.map((p99, phase) => p99 / (floors[phase] ?? Number.NaN));
      const percent = Math.round(share * 100);
      say(`p99 at ${percent}%: ${own.map(shown).join(" ")} and ${floors.map(shown).join(" ")} ms`);
      figures.push({
        name: `open loop at ${percent}% of capacity: p99, ours / floor`,
        measured: median(ratios),
        unit: "x",
        bound: { most: 2 },
        detail:
          `median of ${phases} phases: ${ratios.map(shown).join(" ")}; p99 ${shown(median(own))} and ${shown(median(floors))} ms, ` +
          `medians ${medians.map((times) => shown(median(times))).join(" and ")} ms, ${shown(capacity * share)} messages/s, ${unanswered} unanswered`,
      });
    }
    return figures;
  },
};

async function run({ contender }: Running, arrivals: Arrivals) {
  await contender.people.clearLog();
  await pour(contender.people, arrivals);
  return outcomeOf(contender.people, arrivals);
}
