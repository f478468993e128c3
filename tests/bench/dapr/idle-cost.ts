/**
 * What an idle gateway asks of a Redis that counts commands: `pubsub/redis-small`, a long lease, the web page on; without
 * Telegram, and with a bot that polls under its lease. The window is as long as the slowest of the sidecar's loops.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { startGateway } from "../contenders.ts";
import type { Figure } from "../figures.ts";
import type { Scenario } from "../scenario.ts";
import { startWorld } from "../world.ts";
import { startStack, type Stack } from "./cluster.ts";
import { commandsOf, perTurn, type Counts } from "./counts.ts";

/** `redeliverInterval` of the component. */
const loopMs = 180_000;
const leaseSeconds = 3_600;
const settleMs = 20_000;
const dayMs = 86_400_000;
/** A lease is renewed four times in its length: a write with its ETag, by a script of four commands. */
const perLease = (dayMs / 1_000 / leaseSeconds) * 4 * 5;

export const daprIdleCost: Scenario = {
  name: "dapr idle cost",
  limit: { quick: 300, full: 660 },
  async run({ session, full, say }) {
    const windowMs = loopMs * (full ? 3 : 1);
    const world = await startWorld(session);
    const start = async (telegram: boolean) => {
      const stack = await startStack(session, "redis-small");
      const env = { ...stack.env, ASCENT_RUNTIME: "dapr", REDIS_URL: stack.redisUrl };
      await startGateway({ session, world, telegram, env, settings: { dapr: { leaseSeconds } } });
      return stack;
    };
    const stacks = [await start(false), await start(true)];
    await sleep(settleMs);
    say(`counting commands for ${windowMs / 1_000} s …`);
    const before = await Promise.all(stacks.map(countOf));
    await sleep(windowMs);
    const after = await Promise.all(stacks.map(countOf));
    return ["web page", "Telegram by polling under a lease"].map((what, at) =>
      figureOf(what, before[at] ?? new Map(), after[at] ?? new Map(), { windowMs, more: at === 0 ? 0 : perLease }),
    );
  },
};

/** Without what the count itself asks. */
async function countOf({ redisUrl }: Stack): Promise<Counts> {
  const own = new Set(["redis info", "redis hello", "redis client|setinfo"]);
  return new Map([...(await commandsOf(redisUrl))].filter(([name]) => !own.has(name)));
}

function figureOf(
  what: string,
  before: Counts,
  after: Counts,
  { windowMs, more }: { readonly windowMs: number; readonly more: number },
): Figure {
  const perDay = perTurn(before, after, windowMs / dayMs);
  const measured = perDay.reduce((sum, [, count]) => sum + count, 0);
  const list = perDay.map(([name, count]) => `${name} ${Math.round(count)}`);
  return {
    name: `idle: Redis commands a day, ${what}`,
    measured: measured + more,
    unit: "",
    bound: { most: 5_000 },
    detail:
      `${list.join(", ") || "none"} from ${windowMs / 1_000} s` +
      (more === 0 ? "" : `, and ${Math.round(more)} for renewals of a lease of ${leaseSeconds} s`),
  };
}
