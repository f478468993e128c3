/** 200 people (full: 500) are reminded within five seconds, and as many at the same moment. */
import { startGateway } from "../contenders.ts";
import { remindAll, reminding } from "../reminding.ts";
import type { Scenario } from "../scenario.ts";
import { startWorld, tokenOf } from "../world.ts";

export const reminders: Scenario = {
  name: "reminders",
  limit: { quick: 500, full: 800 },
  async run(bench) {
    const { session, handicap } = bench;
    const world = await startWorld(session);
    await startGateway({ session, world, handicap, ...reminding });
    return remindAll(world.people(tokenOf(0)), "", bench);
  },
};
