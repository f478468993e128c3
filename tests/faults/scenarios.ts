/** The faults of a gateway on Dapr: what dies, on which broker and store, and what more than the promise is asked. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "../simulation/random.ts";
import type { Scenario } from "./run.ts";
import { startMs, type Combination, type Replica, type Signal, type World } from "./world.ts";

const signals: readonly Signal[] = ["SIGKILL", "SIGTERM"];

/** Kill -9 of gateways, one after another, at any time of their lives. */
export function gatewayKills(on: Combination, kills: number): Scenario {
  return {
    name: "gateway: kill -9",
    on,
    async fault(world, random) {
      for (let kill = 0; kill < kills; kill++) {
        const replica = random.pick(world.replicas);
        await replica.gateway.kill();
        world.note(`SIGKILL of the gateway of ${replica.name}`);
        await sleep(random.int(0, 2_000));
        await startAgain(world, replica);
        await sleep(random.int(500, 3_000));
      }
    },
  };
}

/** The sidecar alone, by both signals: once away for so long that the other replica takes its agents over, once just restarted. */
export function sidecarEnds(on: Combination): Scenario {
  return {
    name: "sidecar alone: kill -9, SIGTERM",
    on,
    async fault(world, random) {
      for (const signal of signals) {
        for (const awayMs of [15_000, 0]) {
          const { sidecar } = random.pick(world.replicas);
          await world.strike(sidecar, signal);
          await sleep(awayMs);
          await sidecar.restart();
          world.note(`${sidecar.name} is back`);
          await sleep(random.int(4_000, 6_000));
        }
      }
    },
  };
}

async function startAgain(world: World, { name, gateway }: Replica): Promise<void> {
  gateway.launch();
  await gateway.ready(startMs);
  world.note(`the gateway of ${name} is back`);
}

/** Every part of the list, by its name, as `npm run faults` runs it. */
export const scenarios: readonly Scenario[] = [gatewayKills(["redis", "redis"], 6), sidecarEnds(["redis", "redis"])];

export type Fault = (world: World, random: Random) => Promise<void>;
