/**
 * A chat that goes on: turn 1,000 against turn 50, in one warm process. 8 people (full: 24) are brought to turn 990, as
 * many others to turn 40; then stretches of 10 turns of either group alternate, from the 41st and from the 991st on.
 *
 * Bytes are `write_bytes` of /proc/<pid>/io: what reached storage, in whole pages, checkpoints of the log included.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { startContender, type Contender } from "../contenders.ts";
import { shown, type Figure } from "../figures.ts";
import type { Scenario } from "../scenario.ts";
import { startWorld, type World } from "../world.ts";

interface Group {
  readonly firstUser: number;
  turn: number;
  readonly spent: { cpuMs: number; tokens: number; bytes: number; turns: number };
}

const stretch = 10;
const stretches = 6;
const template = "Tell me more about that, as you did the last time, please: {token}";

export const longChat: Scenario = {
  name: "long chat",
  limit: { quick: 400, full: 900 },
  async run({ session, handicap, full, say }) {
    const users = full ? 24 : 8;
    const world = await startWorld(session);
    const ours = await startContender("ours", { session, world, handicap });
    const fresh = (firstUser: number): Group => ({
      firstUser,
      turn: 1,
      spent: { cpuMs: 0, tokens: 0, bytes: 0, turns: 0 },
    });
    const [long, short] = [fresh(10_000), fresh(20_000)];
    say(`${users} chats to turn 990 …`);
    while (long.turn <= 990) await drive(ours, long, users, 99);
    await drive(ours, short, users, 40);
    for (let at = 0; at < stretches; at += 1) {
      for (const group of [short, long]) await measure(world, ours, group, users);
      say(
        `stretch ${at + 1}: turn ${long.turn - 1} has used ${shown(long.spent.cpuMs)} CPU-ms, turn ${short.turn - 1} ${shown(short.spent.cpuMs)}`,
      );
    }
    const figure = (name: string, unit: string, pick: (spent: Group["spent"]) => number): Figure => {
      const [early, late] = [pick(short.spent) / short.spent.turns, pick(long.spent) / long.spent.turns];
      const detail = `${shown(early)} to ${shown(late)} ${unit}, turns 41 to 100 and 991 to 1,050 of ${users} chats`;
      return { name: `turn 1,000 / turn 50: ${name}`, measured: late / early, unit: "x", bound: { most: 1.1 }, detail };
    };
    return [
      figure("CPU", "ms", ({ cpuMs }) => cpuMs),
      figure("prompt tokens", "tokens", ({ tokens }) => tokens),
      figure("bytes written", "bytes", ({ bytes }) => bytes),
    ];
  },
};

async function drive(ours: Contender, of: Group, users: number, turns: number): Promise<void> {
  const { firstUser, turn: firstTurn } = of;
  const report = await ours.people.drive({
    users,
    turns,
    firstUser,
    firstTurn,
    template,
    lingerMs: 0,
    turnTimeoutMs: 15_000,
  });
  of.turn += turns;
  if (report.unanswered.length > 0) throw new Error(`unanswered: ${report.unanswered.slice(0, 5).join(", ")}`);
  await ours.people.clearLog();
}

async function measure(world: World, ours: Contender, of: Group, users: number): Promise<void> {
  await world.model.clearLog();
  const before = { cpuMs: ours.cpuMs(), bytes: ours.writtenBytes() };
  await drive(ours, of, users, stretch);
  await sleep(250);
  const requests = await world.model.requests();
  of.spent.cpuMs += ours.cpuMs() - before.cpuMs;
  of.spent.bytes += ours.writtenBytes() - before.bytes;
  of.spent.tokens += requests.reduce((sum, { characters }) => sum + Math.ceil(characters / 4), 0);
  of.spent.turns += users * stretch;
}
