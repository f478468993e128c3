/** A scenario from its start to its judgement: people write, something dies, and all they wrote is answered once. */
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Role } from "../../src/main/roles.ts";
import { tokensIn } from "../fakes/tokens.ts";
import { forgotten, pagesWrong, startCrowd, type CrowdOptions } from "../integration/crowd.ts";
import { inboundOf, inFlight, judge, outboundOf, untilQuiet } from "../integration/stage.ts";
import { streamsOf, type Random } from "../simulation/random.ts";
import { explain } from "./explain.ts";
import { awayBetween } from "./order.ts";
import { openWorld, type Combination, type World } from "./world.ts";

export interface Scenario {
  readonly name: string;
  readonly on: Combination;
  /** Two of role "all" unless given. */
  readonly roles?: readonly Role[];
  /** "polling" unless given. */
  readonly by?: "polling" | "webhook";
  readonly modelMs?: CrowdOptions["modelMs"];
  /** Under load. What it throws fails the scenario. */
  readonly fault: (world: World, random: Random) => Promise<void>;
  /** Tokens of messages that the fault may take without an answer. */
  readonly mayTake?: (world: World) => readonly string[];
  /** No answer may take longer. */
  readonly mostMs?: number;
  /** What else is wrong, a line each. */
  readonly more?: (world: World) => readonly string[] | Promise<readonly string[]>;
}

export interface Load {
  readonly seed: number;
  readonly users: number;
  readonly pauseMs: number;
  /** Also waits for what brokers hand out again late, so that a second answer to it would be seen. */
  readonly lingerMs: number;
  /** Told what happens. */
  readonly say: (line: string) => void;
}

export interface Row {
  readonly name: string;
  readonly on: string;
  readonly messages: number;
  readonly conversations: number;
  readonly kills: number;
  readonly inFlight: number;
  readonly duplicates: number;
  /** Messages that the fault took, as far as it may. */
  readonly excused: number;
  /** Pairs of messages whose answers came the other way round, with something away in between. */
  readonly reordered: number;
  /** Milliseconds from the acknowledgement to the answer: half of all, and the slowest. */
  readonly medianMs: number;
  readonly slowestMs: number;
  readonly seconds: number;
  readonly wrong: readonly string[];
}

/** A delivery that a dead process had claimed rests for 90 s, what a dead sidecar had in hand for 75 s. */
const quietMs = 200_000;
const warmUpMs = 3_000;

export async function runScenario(scenario: Scenario, load: Load): Promise<Row> {
  const { name, on, roles = ["all", "all"], by = "polling", fault } = scenario;
  const began = performance.now();
  const world = await openWorld({ on, roles, by, seed: load.seed, say: load.say });
  const wrong: string[] = [];
  try {
    const { seed, users, pauseMs } = load;
    const crowd = startCrowd(world, {
      seed,
      users,
      pauseMs,
      ...(scenario.modelMs === undefined ? {} : { modelMs: scenario.modelMs }),
    });
    try {
      await sleep(warmUpMs);
      await fault(world, streamsOf(seed)(name));
      await sleep(warmUpMs);
    } finally {
      await crowd.stop();
    }
    const atRisk = new Map((scenario.mayTake?.(world) ?? []).map((token) => [token, name]));
    const rested = await rest(world, atRisk);
    await sleep(rested ? load.lingerMs : 0);
    const answered = answeredAt(world);
    const excused = new Map([...atRisk].filter(([token]) => !answered.has(token)));
    if (rested) await crowd.sayLast();
    if (rested) await rest(world, excused);
    const judged = judge(world, { excused }).wrong;
    const reordered = judged.filter((line) => awayBetween(world, line));
    wrong.push(
      ...judged.filter((line) => !reordered.includes(line)),
      ...pagesWrong(world),
      ...(rested ? forgotten(world, crowd) : []).filter(
        (line) => ![...excused.keys()].some((token) => line.includes(` ${token} `)),
      ),
      ...tooLate(world, scenario.mostMs),
      ...((await scenario.more?.(world)) ?? []),
    );
    return rowOf(scenario, world, { excused, reordered: reordered.length, wrong, began });
  } catch (error) {
    wrong.push(`it broke: ${error instanceof Error ? error.message : String(error)}`);
    return rowOf(scenario, world, { excused: new Map(), reordered: 0, wrong, began });
  } finally {
    if (wrong.length > 0) {
      load.say([...wrong.slice(0, 40), ...explain(world, wrong, began)].join("\n"));
      load.say(`what all processes printed: ${await keep(world)}`);
    }
    await world.close();
  }
}

interface Outcome extends Pick<Row, "wrong" | "reordered"> {
  readonly excused: ReadonlyMap<string, string>;
  readonly began: number;
}

/** @returns the folder of a broken run's logs. */
async function keep({ replicas, cluster }: World): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "ascent-faults-"));
  for (const { name, gateway } of replicas) await writeFile(join(folder, `${name}.log`), gateway.output());
  await writeFile(join(folder, "dapr.log"), cluster.tail(Infinity));
  return folder;
}

/** @returns whether all was answered in time. */
async function rest(world: World, excused: ReadonlyMap<string, string>): Promise<boolean> {
  world.note("nobody writes");
  await untilQuiet(world, { mostMs: quietMs, excused });
  const open = inboundOf(world).filter(({ token }) => !excused.has(token) && !answeredAt(world).has(token));
  world.note(open.length === 0 ? "all is answered" : `${open.length} are open: ${open[0]?.token}`);
  return open.length === 0;
}

function rowOf({ name, on }: Scenario, world: World, { excused, reordered, wrong, began }: Outcome): Row {
  const inbound = inboundOf(world);
  const delays = delaysOf(world).toSorted((a, b) => a - b);
  return {
    name,
    on: on.join(" + "),
    messages: inbound.length,
    conversations: new Set(inbound.map(({ conversation }) => conversation)).size,
    kills: world.gateway.kills.length,
    inFlight: inFlight(world).length,
    duplicates: judge(world, { excused }).report.counts.duplicates,
    excused: excused.size,
    reordered,
    medianMs: Math.round(delays[delays.length >> 1] ?? 0),
    slowestMs: Math.round(delays.at(-1) ?? 0),
    seconds: Math.round((performance.now() - began) / 1_000),
    wrong,
  };
}

function tooLate(world: World, mostMs = Infinity): string[] {
  const late = delaysOf(world).filter((ms) => ms > mostMs);
  return late.length === 0 ? [] : [`${late.length} answers took more than ${mostMs / 1_000} s`];
}

/** From each message's acknowledgement to its first answer. */
function delaysOf(world: World): number[] {
  const answers = answeredAt(world);
  return inboundOf(world).flatMap(({ token, acknowledgedAt }) => {
    const answered = answers.get(token);
    return answered === undefined || acknowledgedAt === undefined ? [] : [Math.max(0, answered - acknowledgedAt)];
  });
}

function answeredAt(world: World): Map<string, number> {
  const first = new Map<string, number>();
  for (const { text, at } of outboundOf(world))
    for (const token of tokensIn(text)) first.set(token, Math.min(at, first.get(token) ?? Infinity));
  return first;
}
