/**
 * The first answer of an agent that has left the memory, beside that of one that is in it. One person at a time; the same
 * chats both times, each with a history behind it. Every agent has left when the sidecar's metadata says so.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { median, quantile, shown } from "../figures.ts";
import { quietly } from "../quiet.ts";
import type { Scenario } from "../scenario.ts";
import { until } from "../session.ts";
import { startWorld } from "../world.ts";
import type { Stack } from "./cluster.ts";
import { startOurs, type OnDapr } from "./contenders.ts";

const turnsBefore = 12;
const firstUser = 10_000;
const pauseMs = 40;

export const daprWake: Scenario = {
  name: "dapr wake",
  limit: { quick: 300, full: 600 },
  async run({ session, handicap, full, say }) {
    const chats = full ? 200 : 60;
    const rounds = full ? 2 : 1;
    const quiet = quietly(say);
    const world = await startWorld(session);
    const ours = await startOurs({ session, world, handicap });
    await ours.people.drive({ users: chats, turns: turnsBefore, firstUser });
    const hot: number[] = [];
    const cold: number[] = [];
    let turn = turnsBefore + 1;
    for (let round = 0; round < rounds; round += 1) {
      await quiet();
      hot.push(...(await oneByOne(ours, chats, turn)));
      say(`hot: ${shown(median(hot))} ms; waiting for the agents to leave …`);
      await until(200_000, "all agents out of memory", async () => (await activeIn(ours.stack)) === 0, 1_000);
      await quiet();
      cold.push(...(await oneByOne(ours, chats, turn + 1)));
      turn += 2;
    }
    return [
      {
        name: "first answer of an evicted agent / of a hot one",
        measured: median(cold) / median(hot),
        unit: "x",
        bound: { most: 3 },
        detail:
          `medians ${shown(median(cold))} and ${shown(median(hot))} ms, p90 ${shown(quantile(cold, 0.9))} and ` +
          `${shown(quantile(hot, 0.9))} ms, ${cold.length} chats one at a time`,
      },
    ];
  },
};

/** @returns milliseconds from each message to its answer. */
async function oneByOne({ people }: OnDapr, chats: number, turn: number): Promise<number[]> {
  const times: number[] = [];
  for (let at = 0; at < chats; at += 1) {
    const report = await people.drive({ users: 1, turns: 1, firstUser: firstUser + at, firstTurn: turn, lingerMs: 0 });
    if (report.answered !== 1) throw new Error(`chat ${firstUser + at} was not answered`);
    times.push(...report.latencies);
    await sleep(pauseMs);
  }
  return times;
}

const metadata = z.object({
  actorRuntime: z.object({ activeActors: z.array(z.object({ count: z.number().default(0) })).optional() }),
});

async function activeIn({ sidecar, cluster }: Stack): Promise<number> {
  const answer = await fetch(`${sidecar.url}/v1.0/metadata`, { headers: { "dapr-api-token": cluster.apiToken } });
  const { actorRuntime } = metadata.parse(await answer.json());
  return (actorRuntime.activeActors ?? []).reduce((sum, { count }) => sum + count, 0);
}
