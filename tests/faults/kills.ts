/** Processes that end under load, and come back or do not. */
import { setTimeout as sleep } from "node:timers/promises";
import { endReplica } from "../../src/main/dapr/sidecar.ts";
import type { Service } from "../../src/main/dapr/processes.ts";
import type { Random } from "../simulation/random.ts";
import type { Scenario } from "./run.ts";
import { graceSeconds, startMs, type Combination, type Replica, type Signal, type World } from "./world.ts";

const signals: readonly Signal[] = ["SIGKILL", "SIGTERM"];
/** Another replica has taken over by then: Dapr's placement hears of a dead sidecar at once, of a silent one in seconds. */
const longMs = 15_000;
const slowTurnMs = [6_000, 9_000] as const;

/** Gateways, one after another, at any time of their lives. */
export function gatewayKills(on: Combination, kills: number, by: "polling" | "webhook" = "polling"): Scenario {
  return {
    name: `gateway: kill -9, by ${by}`,
    on,
    by,
    async fault(world, random) {
      for (let kill = 0; kill < kills; kill++) {
        const replica = random.pick(world.replicas);
        await moment(world, random);
        const back = await killGateway(world, replica);
        await sleep(random.int(0, 2_000));
        await startGateway(world, replica, back);
        await sleep(random.int(500, 3_000));
      }
    },
  };
}

/** A rolling restart. Nothing may be doubled: SIGTERM is no kill. */
export function gatewayTerms(on: Combination, by: "polling" | "webhook"): Scenario {
  return {
    name: `gateway: SIGTERM, by ${by}`,
    on,
    by,
    async fault(world, random) {
      for (const replica of [...world.replicas, ...world.replicas]) {
        await startGateway(world, replica, await termGateway(world, replica));
        await sleep(random.int(500, 2_000));
      }
    },
  };
}

/** The sidecar alone: away for so long that the other replica takes its agents over and writes, and just restarted. */
export function sidecarEnds(on: Combination, roles: Scenario["roles"] = ["all", "all"]): Scenario {
  return {
    name: "sidecar alone: kill -9, SIGTERM",
    on,
    roles,
    async fault(world, random) {
      for (const signal of signals) {
        for (const awayMs of [longMs, 0]) {
          await outage(world, random.pick(world.replicas).sidecar, signal, awayMs);
          await sleep(random.int(4_000, 6_000));
        }
      }
    },
  };
}

/** Servers that all replicas share. Between the ends all goes on for a while. */
export function serverEnds(
  what: string,
  on: Combination,
  serverOf: (world: World) => Service | undefined,
  awayMs: number,
): Scenario {
  return {
    name: `${what}: kill -9, SIGTERM${awayMs > 0 ? `, ${awayMs / 1_000} s away` : ""}`,
    on,
    async fault(world, random) {
      const server = serverOf(world);
      if (server === undefined) throw new Error("there is no such server here");
      for (const signal of signals) {
        await outage(world, server, signal, awayMs);
        await sleep(random.int(6_000, 9_000));
      }
    },
  };
}

/** A machine is gone in the middle of slow turns: gateway and sidecar, for good. */
export function replicaDies(on: Combination): Scenario {
  return {
    name: "a replica dies in its turns, for good",
    on,
    modelMs: slowTurnMs,
    async fault(world, random) {
      await sleep(5_000);
      const replica = random.pick(world.replicas);
      await Promise.all([killGateway(world, replica), world.strike(replica.sidecar, "SIGKILL")]);
      await sleep(20_000);
    },
  };
}

/** A replica is taken away in order while all write. Nothing of what it took has to come back by the broker's own time. */
export function replicaLeaves(on: Combination): Scenario {
  return {
    name: "a replica leaves in order",
    on,
    mostMs: 55_000,
    async fault(world, random) {
      await sleep(5_000);
      await leave(world, random.pick(world.replicas));
      await sleep(20_000);
    },
  };
}

/** Agents move while their turns run: a third replica comes, and goes in order. */
export function rebalance(on: Combination): Scenario {
  return {
    name: "rebalance in the middle of turns",
    on,
    modelMs: slowTurnMs,
    async fault(world) {
      await sleep(5_000);
      world.note("a third replica joins");
      const third = await world.addReplica("all");
      world.note("it is ready");
      await sleep(15_000);
      await leave(world, third);
      await sleep(5_000);
    },
  };
}

/** Channels and agents in processes of their own, each killed with and without its sidecar. */
export function rolesKilled(on: Combination): Scenario {
  return {
    name: "roles: kill -9 of each",
    on,
    roles: ["gateway", "agents"],
    async fault(world) {
      for (const replica of world.replicas) {
        await startGateway(world, replica, await killGateway(world, replica));
        await sleep(4_000);
        await outage(world, replica.sidecar, "SIGKILL", 0);
        await sleep(4_000);
      }
    },
  };
}

/** The one that polls dies: another polls within ten seconds. */
export function holderDies(on: Combination): Scenario {
  const takeovers: number[] = [];
  return {
    name: "the holder of the socket dies",
    on,
    async fault(world) {
      for (let death = 0; death < 2; death++) {
        const holder = holderOf(world);
        const killedAt = performance.now();
        const back = await killGateway(world, holder);
        await sleep(12_000);
        const polled = world.platform.log.calls.find(({ method, at }) => method === "getupdates" && at > killedAt);
        takeovers.push((polled?.at ?? Infinity) - killedAt);
        world.note(`another polls after ${Math.round(takeovers.at(-1) ?? 0)} ms`);
        await startGateway(world, holder, back);
        await sleep(2_000);
      }
    },
    more: () => takeovers.filter((ms) => ms > 10_000).map((ms) => `the takeover took ${ms} ms`),
  };
}

/** The smallest: one replica, of which the gateway is killed, then the sidecar where what it had in hand comes back soon. */
export function replicaRestarts(on: Combination): Scenario {
  return {
    name: "one replica: kill -9 of each part",
    on,
    roles: ["all"],
    async fault(world) {
      for (const replica of world.replicas) {
        await startGateway(world, replica, await killGateway(world, replica));
        if (on[0] === "redis") continue;
        await sleep(2_000);
        await outage(world, replica.sidecar, "SIGKILL", 0);
      }
    },
  };
}

/** Everything of the above that fits into a minute, one after another. */
export function shortKills(on: Combination): Scenario {
  return {
    name: "holder, sidecar and servers, in short",
    on,
    async fault(world, random) {
      const holder = holderOf(world);
      await startGateway(world, holder, await killGateway(world, holder));
      await outage(world, random.pick(world.replicas).sidecar, "SIGKILL", longMs);
      await outage(world, world.cluster.pubsub, "SIGKILL", 10_000);
      await outage(world, world.cluster.controlPlane.placement, "SIGKILL", 2_000);
      await outage(world, world.cluster.controlPlane.scheduler, "SIGTERM", 2_000);
      await startGateway(world, holder, await termGateway(world, holder));
    },
  };
}

/** Any time, or some milliseconds after the platform heard of messages taken, or of an answer. */
async function moment({ platform }: World, random: Random): Promise<void> {
  const method = random.pick(["", "getupdates", "sendmessage"]);
  if (method === "") return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const stop = platform.log.onAccepted((call) => call.method === method && resolve());
  await Promise.race([promise, sleep(1_500)]);
  stop();
  await sleep(random.int(0, 30));
}

/** @returns what is called when it is back. */
async function killGateway(world: World, { name, gateway }: Replica): Promise<() => void> {
  world.note(`SIGKILL of the gateway of ${name}`);
  const back = world.away();
  await gateway.kill();
  return back;
}

async function startGateway(world: World, { name, gateway }: Replica, back: () => void): Promise<void> {
  gateway.launch();
  await gateway.ready(startMs);
  world.note(`the gateway of ${name} is back`);
  back();
}

async function termGateway(world: World, { name, gateway }: Replica): Promise<() => void> {
  const back = world.away();
  const { code, ms } = await gateway.terminate();
  world.note(`SIGTERM ended the gateway of ${name} with ${code} after ${Math.round(ms)} ms`);
  if (code !== 0) throw new Error(`SIGTERM of ${name}: exit code ${code}`);
  if (ms > (graceSeconds + 1.5) * 1_000) throw new Error(`SIGTERM of ${name} took ${Math.round(ms)} ms`);
  return back;
}

async function leave(world: World, replica: Replica): Promise<void> {
  const back = await endReplica(replica.sidecar, () => termGateway(world, replica));
  world.note(`the sidecar of ${replica.name} is gone`);
  back();
}

async function outage(world: World, service: Service, signal: Signal, awayMs: number): Promise<void> {
  const back = world.away();
  await world.strike(service, signal);
  await sleep(awayMs);
  await service.restart();
  world.note(`${service.name} is back`);
  back();
}

/** Whose log says last that the lease is its own. */
function holderOf({ replicas }: World): Replica {
  const since = ({ gateway }: Replica): string =>
    [...gateway.output().matchAll(/"time":"([^"]+)".*the lease is ours/g)].at(-1)?.[1] ?? "";
  const [first] = replicas.toSorted((a, b) => (since(a) < since(b) ? 1 : -1));
  if (first === undefined || since(first) === "") throw new Error("nobody holds the lease");
  return first;
}
