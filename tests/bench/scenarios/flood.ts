/**
 * One chat floods: 50 messages a second from one person, 1,000 in 20 s (quick: 500 in 10 s), while 16 others talk in a
 * closed loop with a model that takes 50 ms. Phases without and with the flood alternate; the others' times are pooled.
 * Every message of the flood must be named by an answer in the end.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { tokensIn, token } from "../../fakes/tokens.ts";
import { startContender, type Contender } from "../contenders.ts";
import { quantile, shown } from "../figures.ts";
import type { Scenario } from "../scenario.ts";
import { until } from "../session.ts";
import { startWorld } from "../world.ts";

const others = 16;
const perSecond = 50;
const latencyMs = 50;

export const flood: Scenario = {
  name: "flood",
  limit: { quick: 150, full: 400 },
  async run({ session, handicap, full, say }) {
    const [seconds, phases] = full ? [20, 4] : [10, 2];
    const world = await startWorld(session, { latencyMs });
    const ours = await startContender("ours", { session, world, handicap });
    let turn = 1;
    const talk = async (durationMs: number) => {
      const report = await ours.people.drive({ users: others, durationMs, firstTurn: turn, lingerMs: 0 });
      turn += 1_000_000;
      return report;
    };
    await talk(5_000); // warm
    const calm: number[] = [];
    const flooded: number[] = [];
    let unnamed = 0;
    const rates: number[] = [];
    for (let phase = 0; phase < phases; phase += 1) {
      calm.push(...(await talk(seconds * 1_000)).latencies);
      const chat = 50_000 + phase;
      const [report, rate] = await Promise.all([talk(seconds * 1_000), pour(ours, chat, seconds * perSecond)]);
      flooded.push(...report.latencies);
      rates.push(rate);
      unnamed += await unnamedOf(ours, chat, seconds * perSecond);
      await ours.people.clearLog();
      say(
        `p99 of the others: ${shown(quantile(calm, 0.99))} ms calm, ${shown(quantile(flooded, 0.99))} ms in the flood`,
      );
    }
    const [before, during] = [quantile(calm, 0.99), quantile(flooded, 0.99)];
    return [
      {
        name: "flood of one chat: others' p99 with / without",
        measured: during / before,
        unit: "x",
        bound: { most: 1.2 },
        detail:
          `${shown(before)} to ${shown(during)} ms, median ${shown(quantile(calm, 0.5))} to ${shown(quantile(flooded, 0.5))} ms, ` +
          `${shown(Math.min(...rates))} flood messages/s`,
      },
      { name: "flood: messages that no answer names", measured: unnamed, unit: "", bound: { most: 0 } },
    ];
  },
};

/** Sends at an even pace. @returns messages per second. */
async function pour({ people }: Contender, chat: number, messages: number): Promise<number> {
  const began = performance.now();
  const person = people.user(chat);
  const sent: Promise<unknown>[] = [];
  for (let n = 1; n <= messages; n += 1) {
    const wait = began + ((n - 1) * 1_000) / perSecond - performance.now();
    if (wait > 1) await sleep(wait);
    sent.push(person.sends(chat, `and another thing ${token(chat, n)}`));
  }
  await Promise.all(sent);
  return (messages * 1_000) / (performance.now() - began);
}

async function unnamedOf({ people }: Contender, chat: number, messages: number): Promise<number> {
  const named = new Set<string>();
  let seen = 0;
  const look = async () => {
    for (const call of await people.calls(seen)) {
      seen = Math.max(seen, call.seq);
      if (call.chat === chat && call.accepted) for (const found of tokensIn(call.text ?? "")) named.add(found);
    }
    return named.size >= messages;
  };
  await until(30_000, "the answers to the flood", look, 250).catch(() => undefined); // what is missing is the figure
  return messages - named.size;
}
