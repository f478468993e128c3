/** People write on Discord while the gateway is killed again and again: the promise, judged by what Discord saw. */
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { streamsOf } from "../simulation/random.ts";
import { tokensIn } from "../fakes/tokens.ts";
import { openDiscord, texts, untilAnswered, wrongWith } from "./discord-stage.ts";

const seed = Number(process.env["KILL_SEED"] ?? Math.floor(Math.random() * 1e9));
const kills = Number(process.env["KILLS"] ?? 8);

test(`no message is lost, none answered twice, order kept, through ${kills} kills`, { timeout: 180_000 }, async () => {
  const stage = await openDiscord();
  const { discord, gateway, model } = stage;
  // Slow enough for a draft, and quick enough that a turn ends between two kills: one that is cut off again and again is given up.
  await model.rule({ contains: "slowly", reply: { latencyMs: 300, tokensPerSecond: 40 } });
  console.log(`KILL_SEED=${seed}`);
  const random = streamsOf(seed)("kills on discord");
  const channels = [discord.channel("general"), discord.thread(discord.channel("work"), "plans")];
  const people = Array.from({ length: 12 }, (_, n) => discord.person(`p${n}`));
  let writing = true;

  async function write(at: number): Promise<void> {
    const own = streamsOf(seed)(`person ${at}`);
    const person = people[at];
    // Some talk in the server; one each, so that a channel's order is that of one person.
    const shared = channels[at];
    const chat = shared ?? person?.direct() ?? "";
    const to = shared === undefined ? "" : `<@${discord.me}> `;
    for (let n = 1; writing; n++) {
      person?.says(chat, `${to}${own.chance(0.1) ? "slowly" : "hello"} m-p${at}-${n}`);
      await sleep(own.int(100, 1_200));
    }
  }

  const crowd = people.map((_, at) => write(at));
  for (let kill = 0; kill < kills; kill++) {
    await sleep(random.int(300, 1_500));
    await gateway.kill();
    await sleep(random.int(0, 600));
    gateway.launch();
    // Now and then it is killed again before it is ready.
    if (random.chance(0.75)) await gateway.ready();
  }
  await gateway.ready();
  await sleep(500);
  writing = false;
  await Promise.all(crowd);
  const all = [...channels, ...people.slice(channels.length).map((person) => person.direct())];
  await untilAnswered(stage, all, 90_000);
  expect(wrongWith(stage, all)).toEqual([]);
  const answered = new Set(all.flatMap((channel) => texts(stage, channel).flatMap(tokensIn))).size;
  console.log(`${answered} messages answered, ${gateway.kills.length} kills`);
  expect(answered).toBeGreaterThan(60);
});
