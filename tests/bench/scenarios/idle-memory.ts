/** Resident memory of the gateway that waits for messages, Telegram and the web page on, and of its SDKs alone. */
import { setTimeout as sleep } from "node:timers/promises";
import { startGateway } from "../contenders.ts";
import { median } from "../figures.ts";
import { residentMbOf } from "../proc.ts";
import type { Scenario } from "../scenario.ts";
import { startWorld } from "../world.ts";

const imports =
  'await import("@openai/agents"); await import("grammy"); console.log("imported"); setInterval(() => {}, 1e6);';

export const idleMemory: Scenario = {
  name: "idle memory",
  limit: { quick: 90, full: 180 },
  async run({ session, handicap, full, say }) {
    const world = await startWorld(session);
    const first = await startGateway({ session, world, handicap }); // builds the page where it is stale
    await first.process.stop(30_000);
    const gateway = await startGateway({ session, world, handicap });
    const page = await (await fetch(gateway.url)).text();
    if (!page.includes("<html")) throw new Error("the gateway serves no web page");
    const alone = session.launch({ name: "the SDKs' imports", args: ["--input-type=module", "-e", imports] });
    await alone.firstLine;
    const settleS = full ? 60 : 12;
    say(`${settleS} s to settle …`);
    await sleep(settleS * 1_000);
    const samples: { ours: number; alone: number }[] = [];
    for (let at = 0; at < 5; at += 1) {
      samples.push({ ours: residentMbOf([gateway.process.pid]), alone: residentMbOf([alone.pid]) });
      await sleep(500);
    }
    return [
      {
        name: "idle memory, Telegram and web on",
        measured: median(samples.map(({ ours }) => ours)),
        unit: "MB",
        bound: { most: 160 },
        detail: `RSS ${settleS} s after the start, one page served`,
      },
      {
        name: "memory of the imports alone",
        measured: median(samples.map((sample) => sample.alone)),
        unit: "MB",
        detail: "RSS of a process that imports @openai/agents and grammy",
      },
    ];
  },
};
