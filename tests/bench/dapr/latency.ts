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
import { calmRounds } from "./calm.ts";
import { startFloor, startOurs } from "./contenders.ts";
import { stateSizeOf } from "./state.ts";

const shares = [0.3, 0.7] as const;
const chats = 400;
const firstChat = 30_000;
/** More than a chat has in one. */
const turnsPerPhase = 1_000;

export const daprLatency: Scenario = {
  name: "dapr latency",
  limit: { quick: 480, full: 1_500 },
  async run({ session, handicap, full, say }) {
    const [phases, phaseMs, roundMs] = full ? [5, 20_000, 8_000] : [3, 10_000, 4_000];
    const quiet = quietly(say);
    const world = await startWorld(session, { bots: 2 });
    const gateway = await startOurs({ session, world, handicap });
    const ours = await warm(gateway, 6_000);
    const { bytes: stateBytes } = await stateSizeOf(gateway.stack.redisUrl);
    const floor = await warm(await startFloor({ session, world, bot: 1, stateBytes }), 6_000);
    const both = [ours, floor];
    const closed = await calmRounds({
      rounds: 3,
      all: both,
      quiet,
      say,
      measure: (each) => measure(world, each, roundMs),
    });
    const capacities = closed.map((samples) => median(samples.map((sample) => sample.turnsPerSecond)));
    const capacity = Math.min(...capacities);
    say(`turns/s in a closed loop: ${capacities.map(shown).join(" and ")}`);
    const figures: Figure[] = [];
    let firstTurn = 1;
    for (const share of shares) {
      const [from, perSecond] = [firstTurn, capacity * share];
      let [made, unanswered] = [0, 0];
      const outcomes = await calmRounds({
        rounds: phases,
        all: both,
        quiet,
        say,
        async measure(each, phase) {
          made = phase + 1;
          const turn = from + phase * turnsPerPhase;
          const pace = { perSecond, durationMs: phaseMs, seed: phase + 1, firstChat, chats, firstTurn: turn };
          const { sent, answered, latencies } = await run(each, pace);
          unanswered += sent - answered;
          return { p99: quantile(latencies, 0.99), median: median(latencies) };
        },
      });
      firstTurn += made * turnsPerPhase;
      const [own = [], floors = []] = outcomes.map((phases) => phases.map(({ p99 }) => p99));
      const medians = outcomes.map((phases) => median(phases.map((phase) => phase.median)));
      const ratios = own.map((p99, phase) => p99 / (floors[phase] ?? Number.NaN));
      const percent = Math.round(share * 100);
      say(`p99 at ${percent}%: ${own.map(shown).join(" ")} and ${floors.map(shown).join(" ")} ms`);
      figures.push({
        name: `open loop at ${percent}% of capacity: p99, ours / floor`,
        measured: median(ratios),
        unit: "x",
        bound: { most: 2 },
        detail:
          `median of ${ratios.length} phases: ${ratios.map(shown).join(" ")}; p99 ${shown(median(own))} and ${shown(median(floors))} ms, ` +
          `medians ${medians.map(shown).join(" and ")} ms, ${shown(perSecond)} messages/s, ${unanswered} unanswered`,
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
