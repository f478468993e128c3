/**
 * What a turn costs: 32 people in a closed loop with a model that answers at once, ours and the rivals in turns, all of
 * them up and warm the whole time. Processor time is that of all processes of a contender, from the first message until
 * half a second after the last answer, per turn that was answered at least once.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { startContender, type Contender } from "../contenders.ts";
import { median, quantile, shown, type Figure } from "../figures.ts";
import type { Scenario } from "../scenario.ts";
import { startWorld, type World } from "../world.ts";

interface Sample {
  readonly cpuMs: number;
  readonly turnsPerSecond: number;
  readonly p99: number;
  readonly wrong: number;
  /** Requests of the model and calls of the Bot API per turn; messages and tokens of a prompt. */
  readonly requests: number;
  readonly calls: number;
  readonly messages: number;
  readonly tokens: number;
}

interface Running {
  readonly contender: Contender;
  readonly samples: Sample[];
  turn: number;
  /** Processor time when the last sample ended, and what was burnt from there to the next. */
  restingSince: number;
  readonly rested: number[];
}

const users = 32;
const rounds = 5;
const settleMs = 500;
const rivalBounds = { grammy: 1.05, "chat-sdk": 0.65 } as const;

export const turns: Scenario = {
  name: "turns",
  limit: { quick: 300, full: 600 },
  async run(bench) {
    const { session, contenders, handicap, full, say } = bench;
    const world = await startWorld(session, { bots: contenders.length });
    const running: Running[] = [];
    for (const [bot, name] of contenders.entries()) {
      const contender = await startContender(name, { session, world, bot, handicap });
      const of: Running = { contender, samples: [], turn: 1, restingSince: 0, rested: [] };
      await drive(of, full ? 10_000 : 4_000); // fills the histories and lets the compiler do its work
      of.restingSince = contender.cpuMs();
      running.push(of);
    }
    for (let round = 0; round < rounds; round += 1) {
      for (const each of running) {
        const sample = await measure(world, each, full ? 12_000 : 4_000);
        each.samples.push(sample);
        say(`${each.contender.name}: ${shown(sample.cpuMs)} CPU-ms per turn, ${shown(sample.turnsPerSecond)} turns/s`);
      }
    }
    return figuresOf(running);
  },
};

async function drive(of: Running, durationMs: number) {
  const report = await of.contender.people.drive({
    users,
    durationMs,
    firstTurn: of.turn,
    turnTimeoutMs: 15_000,
    lingerMs: 0,
  });
  of.turn += 1_000_000;
  if (report.answered === 0) throw new Error(`${of.contender.name} answered nothing`);
  return report;
}

async function measure(world: World, of: Running, durationMs: number): Promise<Sample> {
  const { contender } = of;
  await Promise.all([contender.people.clearLog(), world.model.clearLog()]);
  const before = contender.cpuMs();
  of.rested.push(before - of.restingSince);
  const report = await drive(of, durationMs);
  await sleep(settleMs);
  of.restingSince = contender.cpuMs();
  const [requests, calls] = await Promise.all([world.model.requests(), contender.people.calls()]);
  const { answered } = report;
  return {
    cpuMs: (of.restingSince - before) / answered,
    turnsPerSecond: report.turnsPerSecond,
    p99: quantile(report.latencies, 0.99),
    wrong: report.unanswered.length + report.duplicates + report.orderViolations,
    requests: requests.length / answered,
    calls: calls.length / answered,
    messages: requests.reduce((sum, request) => sum + request.messages, 0) / requests.length,
    tokens: requests.reduce((sum, request) => sum + request.characters, 0) / requests.length / 4,
  };
}

function figuresOf(running: readonly Running[]): Figure[] {
  const ours = running.find(({ contender }) => contender.name === "ours");
  const figures: Figure[] = running.flatMap((of) => figuresOfOne(of));
  for (const { contender, samples } of running) {
    if (ours === undefined || contender.name === "ours") continue;
    const ratios = samples.map(({ cpuMs }, round) => (ours.samples[round]?.cpuMs ?? Number.NaN) / cpuMs);
    figures.push({
      name: `CPU per turn, ours / ${contender.name}`,
      measured: median(ratios),
      unit: "x",
      bound: { most: rivalBounds[contender.name] },
      detail: `median of ${ratios.length} rounds: ${ratios.map(shown).join(" ")}`,
    });
  }
  if (ours !== undefined) {
    figures.push({
      name: "turns of ours lost, doubled or out of order",
      measured: ours.samples.reduce((sum, { wrong }) => sum + wrong, 0),
      unit: "",
      bound: { most: 0 },
    });
  }
  return figures;
}

function figuresOfOne({ contender, samples, rested }: Running): Figure[] {
  const of = (pick: (sample: Sample) => number) => median(samples.map(pick));
  const traffic =
    `per turn ${shown(of((s) => s.requests))} model requests of ${shown(of((s) => s.messages))} messages and ` +
    `${shown(of((s) => s.tokens))} tokens, ${shown(of((s) => s.calls))} Bot API calls`;
  const wrong = samples.reduce((sum, sample) => sum + sample.wrong, 0);
  const rest = `${shown(median(rested.slice(1)))} CPU-ms between rounds`;
  const { name } = contender;
  return [
    { name: `${name}: CPU per turn`, measured: of((s) => s.cpuMs), unit: "ms", detail: `${traffic}; ${rest}` },
    {
      name: `${name}: turns/s`,
      measured: of((s) => s.turnsPerSecond),
      unit: "1/s",
      detail: `p99 ${shown(of((s) => s.p99))} ms, ${wrong} wrong`,
    },
    {
      name: `${name}: memory under load`,
      measured: contender.residentMb(),
      unit: "MB",
      detail: "RSS of all its processes",
    },
  ];
}
