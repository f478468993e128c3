/**
 * A model that takes its time: 1,000 people, each with an answer under way that takes 30 s (quick: 300 and 5 s), reach
 * nearly the turns per second that the model's time alone would allow. They begin spread over one answer's time, as people
 * do; each then writes again as soon as it is answered.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { startContender } from "../contenders.ts";
import { shown } from "../figures.ts";
import type { Scenario } from "../scenario.ts";
import { startWorld } from "../world.ts";
import type { RequestEntry } from "../../fakes/openai/types.ts";

const groups = 50;
const turnsEach = 3;

export const slowModel: Scenario = {
  name: "slow model",
  limit: { quick: 90, full: 240 },
  async run({ session, handicap, full, say }) {
    const [people, latencyMs] = full ? [1_000, 30_000] : [300, 5_000];
    const world = await startWorld(session);
    const ours = await startContender("ours", { session, world, handicap });
    await ours.people.drive({ users: 16, durationMs: 3_000 }); // warm
    await Promise.all([world.model.clearLog(), world.model.pace({ latencyMs })]);
    say(`${people} people, ${latencyMs / 1_000} s an answer, ${turnsEach} turns each …`);
    const size = people / groups;
    const driveGroup = async (group: number) => {
      await sleep((group * latencyMs) / groups);
      const turnTimeoutMs = latencyMs * 2;
      return ours.people.drive({
        users: size,
        turns: turnsEach,
        firstUser: 20_000 + group * size,
        turnTimeoutMs,
        lingerMs: 0,
      });
    };
    const before = ours.cpuMs();
    const reports = await Promise.all(Array.from({ length: groups }, (_, group) => driveGroup(group)));
    const cpuMs = (ours.cpuMs() - before) / (people * turnsEach);
    const reached = reports.reduce((sum, { turnsPerSecond }) => sum + turnsPerSecond, 0);
    const ideal = (people / latencyMs) * 1_000;
    const slowest = Math.max(...reports.map(({ p99 }) => p99));
    const unanswered = reports.reduce((sum, report) => sum + report.unanswered.length, 0);
    const peak = mostAtOnce(await world.model.requests());
    return [
      {
        name: `${people} conversations, ${latencyMs / 1_000} s model: share of the ideal`,
        measured: (reached / ideal) * 100,
        unit: "%",
        bound: { least: 95 },
        detail:
          `${shown(reached)} of ${shown(ideal)} turns/s, worst group's p99 ${shown(slowest / 1_000)} s, ${unanswered} unanswered, ` +
          `${peak} requests at once, ${shown(cpuMs)} CPU-ms per turn`,
      },
    ];
  },
};

function mostAtOnce(requests: readonly RequestEntry[]): number {
  const changes = requests.flatMap(({ at, endedAt = Infinity }) => [
    { at, by: 1 },
    { at: endedAt, by: -1 },
  ]);
  let now = 0;
  let most = 0;
  for (const { by } of changes.toSorted((a, b) => a.at - b.at || a.by - b.by)) most = Math.max(most, (now += by));
  return most;
}
