/**
 * What people on Telegram are told of their reminders by real processes: in time, and after everything was down, where it says how late
 * it is. The scheduler is in the gateway or a process of its own, and on Dapr its jobs are Dapr's.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFailed, onTestFinished, test } from "vitest";
import type { Sidecar } from "../../src/main/dapr/sidecar.ts";
import { startTelegramFake, type TelegramFake } from "../fakes/telegram.ts";
import { needsDapr, startCluster, type Cluster } from "../services/dapr.ts";
import { agentSidecar, startReplica } from "./dapr-replica.ts";
import { createGateway, type GatewayProcess } from "./gateway-process.ts";
import { eventually, openStage, said } from "./stage.ts";

interface World {
  readonly name: string;
  readonly platform: TelegramFake;
  readonly processes: readonly GatewayProcess[];
  readonly sidecars: readonly Sidecar[];
}

const { missing } = await needsDapr();
const where = missing ? "embedded alone: Dapr is missing" : "embedded, and on Dapr with the scheduler inside and apart";
const demo = { ASCENT_CONFIG: "ascent.yaml", ASCENT_MODEL: "demo" };
const secret = "a secret that the gateway and its agents share 0123";

async function embedded(): Promise<World> {
  const { platform, gateway } = await openStage({ env: { ASCENT_MODEL: "demo" } });
  return { name: "embedded", platform, processes: [gateway], sidecars: [] };
}

async function onDapr({ apart }: { readonly apart: boolean }): Promise<World> {
  const cluster = await startCluster({ pubsub: "redis", state: "redis" });
  onTestFinished(() => cluster.close(), 60_000);
  const platform = await startTelegramFake();
  onTestFinished(() => platform.close());
  const own = apart ? await serveScheduler(cluster) : undefined;
  const { gateway, sidecar } = await startReplica(cluster, {
    config: { skills: { scheduler: { enabled: !apart } } },
    env: {
      ...demo,
      ASCENT_SECRET: secret,
      TELEGRAM_BOT_TOKEN: platform.token,
      TELEGRAM_API_ROOT: platform.url,
    },
  });
  return {
    name: apart ? "a scheduler of its own on Dapr" : "Dapr",
    platform,
    processes: own === undefined ? [gateway] : [gateway, own.service],
    sidecars: own === undefined ? [sidecar] : [sidecar, own.sidecar],
  };
}

async function serveScheduler(cluster: Cluster): Promise<{ service: GatewayProcess; sidecar: Sidecar }> {
  const { sidecar, env } = await agentSidecar(cluster, "ascent-scheduler");
  const service = await createGateway({
    command: ["agent", "serve", "scheduler"],
    env: () => ({ ...env, ASCENT_MODEL: "demo", ASCENT_SECRET: secret }),
  });
  onTestFinished(() => service.close(), 30_000);
  onTestFailed(() => console.error(service.tail()));
  await service.start();
  return { service, sidecar };
}

const [ann, bob, cleo] = [7_600_001, 7_600_002, 7_600_003];

const toldTo = ({ platform }: World, person: number) =>
  said({ platform }, person).filter((text) => text.startsWith("Reminder:"));

/** Resolves when it is set. @returns when it was asked for. */
async function asks(world: World, person: number, text: string): Promise<number> {
  const at = Date.now();
  await world.platform.user(person).sends(person, text);
  await eventually(`on ${world.name}: "${text}" is set`, () =>
    said(world, person).some((answer) => answer.includes("goes on by itself")),
  );
  return at;
}

/** Everything of it is down. */
async function stop({ processes, sidecars }: World): Promise<void> {
  await Promise.all(processes.map((process) => process.terminate()));
  await Promise.all(sidecars.map((sidecar) => sidecar.stop()));
}

async function start({ processes, sidecars }: World): Promise<void> {
  await Promise.all(sidecars.map((sidecar) => sidecar.restart()));
  await Promise.all(processes.map((process) => process.start()));
}

/** The bench says how late at most; here others have the machine too. */
const inTimeMs = 15_000;

async function remindsInTime(world: World): Promise<void> {
  const at = await asks(world, cleo, "remind me in 5 seconds to drink tea");
  await eventually(`tea on ${world.name}`, () => toldTo(world, cleo).length > 0, 5_000 + inTimeMs);
  expect(Date.now()).toBeGreaterThanOrEqual(at + 5_000);
  expect(toldTo(world, cleo)).toEqual(["Reminder: drink tea"]);
}

/** Down from before anything is due until more than a minute after: what is late says so, and what repeats is told once. */
async function saysThatItIsLate(world: World): Promise<void> {
  const [askedOnce, askedAgain] = await Promise.all([
    asks(world, ann, "remind me in 30 seconds to leave"),
    asks(world, bob, "remind me every minute to blink"),
  ]);
  await stop(world);
  expect(Date.now()).toBeLessThan(askedOnce + 30_000);
  // It would have come after one minute and after two.
  await sleep(askedAgain + 133_000 - Date.now());
  await start(world);
  for (const person of [ann, bob])
    await eventually(`${person} is told on ${world.name}`, () => toldTo(world, person).length > 0, 60_000);
  expect(toldTo(world, ann)).toEqual([
    expect.stringMatching(/^Reminder: leave\nIt comes late: it was due \d+ minutes ago, /),
  ]);
  const late =
    /^Reminder: blink\nIt comes late: it was due \d+ (?:seconds|minutes) ago, .*\n(One|\d+) more times? passed/;
  expect(toldTo(world, bob)).toEqual([expect.stringMatching(late)]);
  // The third minute is in time again.
  await eventually(`the next one on ${world.name}`, () => toldTo(world, bob).length > 1, 60_000 + inTimeMs);
  expect(Date.now()).toBeGreaterThanOrEqual(askedAgain + 180_000);
  await sleep(12_000);
  expect(toldTo(world, bob)).toEqual([expect.stringMatching(late), "Reminder: blink"]);
  expect(toldTo(world, ann)).toHaveLength(1);
  expect(toldTo(world, cleo)).toHaveLength(1);
}

// Minutes pass for all worlds at once.
test(`a reminder comes in time, and one that everything was down for says that it is late, once, ${where}`, async () => {
  const worlds = [await embedded()];
  if (!missing) worlds.push(await onDapr({ apart: false }), await onDapr({ apart: true }));
  await Promise.all(worlds.map(remindsInTime));
  await Promise.all(worlds.map(saysThatItIsLate));
}, 600_000);
