/** One run of one plan: a world is put together, runs until nothing is left to do, and is judged. */
import { check, type Violation } from "./check/check.ts";
import { createBroker } from "./broker.ts";
import { channelsOf } from "./channels.ts";
import { startGateways } from "./gateways.ts";
import { createDelegates } from "./delegates.ts";
import { createHosting } from "./hosting.ts";
import { createScheduler } from "./jobs.ts";
import { createTables } from "./keyed.ts";
import { createModel } from "./model.ts";
import { startPeople } from "./people.ts";
import { faultsEnd, type Plan } from "./plan.ts";
import { createPlatform } from "./platform.ts";
import { createWorld, type Subject } from "./world.ts";

/** How long after the last fault or the last message everything must be settled. */
const settleMs = 2 * 3_600_000;

/** How long a fault waits for what it strikes, after all of them were due. */
const lingerMs = 60_000;

export interface Outcome {
  readonly violations: readonly Violation[];
  readonly messages: number;
  readonly crashes: number;
}

/** @param trace filled with what happens, line by line. */
export async function simulate(plan: Plan, subject: Subject, trace?: string[]): Promise<Outcome> {
  const world = createWorld(plan, subject, trace);
  const { loop } = world;
  const broker = createBroker(world);
  const hosting = createHosting(world, broker);
  const tables = createTables(world, broker.letters);
  const platform = createPlatform(world);
  const scheduler = createScheduler(world);
  const delegates = createDelegates(world);
  const model = createModel(world, (process) => ({
    records: tables.of(process).records,
    delegations: delegates.of(process).delegations,
  }));
  const gateways = startGateways(world, {
    broker,
    hosting,
    tables,
    scheduler,
    channelsOf: (process) => channelsOf(world, platform, process),
    agentOf: model.agentOf,
    delegates,
  });
  startPeople(world, platform, gateways, model.runs);
  loop.at(faultsEnd(plan) + lingerMs, () => world.faults.end());

  const deadline = () => Math.max(faultsEnd(plan), platform.lastAt()) + settleMs;
  const rejections: unknown[] = [];
  const heard = (reason: unknown) => void rejections.push(reason);
  process.on("unhandledRejection", heard);
  const ended = await loop.run(deadline);
  process.off("unhandledRejection", heard);
  for (const reason of rejections) world.broken(`a rejection that nobody handles ends the process: ${String(reason)}`);

  const violations = check({
    plan,
    quiet: ended === "quiet",
    posts: platform.posts,
    received: platform.received,
    impatient: platform.impatient,
    runs: model.runs,
    done: model.done,
    tasks: delegates.log.told,
    notes: delegates.log.notes,
    executions: delegates.executions,
    delegations: tables.delegations(),
    working: [...tables.working(), ...delegates.working()],
    jobs: scheduler.runs,
    waiting: [...hosting.asks(), ...tables.asks(), ...scheduler.left()],
    held: hosting.held(),
    shownHeld: tables.held(),
    doubted: hosting.doubted(),
    reviews: tables.reviews(),
    journeys: broker.journeys,
    journal: tables.journal,
    letters: broker.letters,
    processes: gateways.all,
    armed: hosting.armed(),
    unsettled: broker.unsettled(),
    breaches: world.breaches,
  });
  return { violations, messages: platform.posts.length, crashes: gateways.all.length - plan.replicas };
}
