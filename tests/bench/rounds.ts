/** Contenders in turns under the same closed loop, all of them up and warm the whole time. */
import { setTimeout as sleep } from "node:timers/promises";
import type { TelegramDriver } from "../fakes/telegram/driver.ts";
import { median, quantile, shown, type Figure } from "./figures.ts";
import type { World } from "./world.ts";

export interface Measured {
  readonly name: string;
  readonly people: TelegramDriver;
  /** Of all its processes so far. */
  cpuMs(): number;
  /** The same by process, where there are several of interest. */
  cpuParts?(): Readonly<Record<string, number>>;
  residentMb(): number;
}

export interface Sample {
  readonly cpuMs: number;
  readonly parts: Readonly<Record<string, number>>;
  readonly turnsPerSecond: number;
  readonly p99: number;
  readonly wrong: number;
  /** Requests of the model and calls of the Bot API per turn; messages and tokens of a prompt. */
  readonly requests: number;
  readonly calls: number;
  readonly messages: number;
  readonly tokens: number;
}

export interface Running {
  readonly contender: Measured;
  readonly samples: Sample[];
  turn: number;
  /** Processor time when the last sample ended, and what was burnt from there to the next. */
  restingSince: number;
  readonly rested: number[];
}

export const users = 32;
const settleMs = 500;

/** Warm: histories are full and the compiler has done its work. */
export async function warm(contender: Measured, durationMs: number): Promise<Running> {
  const of: Running = { contender, samples: [], turn: 1, restingSince: 0, rested: [] };
  await drive(of, durationMs);
  of.restingSince = contender.cpuMs();
  return of;
}

/**
 * Processor time is that of all processes of a contender, from the first message until half a second after the last answer,
 * per turn that was answered at least once.
 */
export async function measure(world: World, of: Running, durationMs: number): Promise<Sample> {
  const { contender } = of;
  await Promise.all([contender.people.clearLog(), world.model.clearLog()]);
  const before = contender.cpuMs();
  const partsBefore = contender.cpuParts?.() ?? {};
  of.rested.push(before - of.restingSince);
  const report = await drive(of, durationMs);
  await sleep(settleMs);
  of.restingSince = contender.cpuMs();
  const parts = Object.entries(contender.cpuParts?.() ?? {});
  const [requests, calls] = await Promise.all([world.model.requests(), contender.people.calls()]);
  const { answered } = report;
  const sample = {
    cpuMs: (of.restingSince - before) / answered,
    parts: Object.fromEntries(parts.map(([name, ms]) => [name, (ms - (partsBefore[name] ?? 0)) / answered])),
    turnsPerSecond: report.turnsPerSecond,
    p99: quantile(report.latencies, 0.99),
    wrong: report.unanswered.length + report.duplicates + report.orderViolations,
    requests: requests.length / answered,
    calls: calls.length / answered,
    messages: requests.reduce((sum, request) => sum + request.messages, 0) / requests.length,
    tokens: requests.reduce((sum, request) => sum + request.characters, 0) / requests.length / 4,
  };
  of.samples.push(sample);
  return sample;
}

async function drive(of: Running, durationMs: number) {
  const { people, name } = of.contender;
  const report = await people.drive({ users, durationMs, firstTurn: of.turn, turnTimeoutMs: 15_000, lingerMs: 0 });
  of.turn += 1_000_000;
  if (report.answered === 0) throw new Error(`${name} answered nothing`);
  return report;
}

export function figuresOfOne({ contender, samples, rested }: Running): Figure[] {
  const of = (pick: (sample: Sample) => number) => median(samples.map(pick));
  const traffic =
    `per turn ${shown(of((s) => s.requests))} model requests of ${shown(of((s) => s.messages))} messages and ` +
    `${shown(of((s) => s.tokens))} tokens, ${shown(of((s) => s.calls))} Bot API calls`;
  const parts = Object.keys(samples[0]?.parts ?? {}).map((part) => `${part} ${shown(of((s) => s.parts[part] ?? 0))}`);
  const wrong = samples.reduce((sum, sample) => sum + sample.wrong, 0);
  const rest = `${shown(median(rested.slice(1)))} CPU-ms between rounds`;
  const { name } = contender;
  return [
    {
      name: `${name}: CPU per turn`,
      measured: of((s) => s.cpuMs),
      unit: "ms",
      detail: [parts.join(", "), traffic, rest].filter(Boolean).join("; "),
    },
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

/** CPU per turn of one in those of another, round by round. */
export function ratiosOf(one: Running, other: Running): number[] {
  return one.samples.map(({ cpuMs }, round) => cpuMs / (other.samples[round]?.cpuMs ?? Number.NaN));
}

export function wrongOf({ samples }: Running): number {
  return samples.reduce((sum, { wrong }) => sum + wrong, 0);
}
