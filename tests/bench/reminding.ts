/**
 * Many people are reminded around the same time, by the agent that does it for everybody. Judged from outside: a reminder is due at
 * the second that its person named, and has come when the platform has taken it.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { TelegramDriver } from "../fakes/telegram/driver.ts";
import { quantile, shown, type Figure } from "./figures.ts";
import type { StartOptions } from "./contenders.ts";
import { quietly, watchOthers } from "./quiet.ts";
import type { Bench } from "./scenario.ts";

/** The gateway on the demo's model, which passes on what it is asked word for word. */
export const reminding = {
  settings: { agents: { assistant: { model: "demo" } } },
  env: { ASCENT_MODEL: "demo" },
} satisfies Pick<StartOptions, "settings" | "env">;

/** By the person's own words, so that nobody is told what is another's. */
const wordOf = (person: number) => `errand-${person}`;
const tellingOf = (person: number) => `Reminder: do ${wordOf(person)}`;

export interface Crowd {
  readonly people: TelegramDriver;
  readonly count: number;
  /** The id of the first one; another round wants others. */
  readonly first: number;
  /** How long it takes them to say what they want. */
  readonly askMs: number;
  /** They want to be reminded within so many seconds, as many at the beginning of each; 0: at one time. */
  readonly overSeconds: number;
}

export interface Told {
  /** Milliseconds after each one's time; negative for what came before it. */
  readonly late: readonly number[];
  /** Reminders that never came, and those that came again. */
  readonly lost: number;
  readonly again: number;
  /** Asked for so slowly that their time was over when they were set. */
  readonly unset: number;
  /** The share of the machine that others had from the first one's time until all were told. */
  readonly others: number;
}

const patienceMs = 30_000;
/** A second telling, by a job that looks whether the first one was made, would come within it. */
const settleMs = 12_000;
/** From the last one's words to the first reminder. */
const setMs = 10_000;
const secondMs = 1_000;
const lookMs = 500;
const mostLateMs = 2_000;
/** Beside more of others a round says nothing of ours, and another one is made. */
const calmShare = 0.12;
const mostRounds = 3;

/** Everybody names a second of the wall clock, and is told then. */
export async function remind(crowd: Crowd): Promise<Told> {
  const { people, count, first, askMs, overSeconds } = crowd;
  const from = Math.ceil((Date.now() + askMs + setMs) / secondMs) * secondMs;
  const dueAt = (n: number) => from + Math.floor((n * overSeconds) / count) * secondMs;
  const began = performance.now();
  const said = new Map<number, number>();
  const sends: Promise<unknown>[] = [];
  for (let n = 0; n < count; n += 1) {
    const wait = began + (n * askMs) / count - performance.now();
    if (wait > 1) await sleep(wait);
    const person = first + n;
    const time = new Date(dueAt(n)).toISOString().slice(11, 19);
    const sent = people.user(person).sends(person, `remind me at ${time} UTC to do ${wordOf(person)}`);
    sends.push(sent.then(() => void said.set(person, Date.now())));
  }
  await Promise.all(sends);
  const toFakes = await behind(people, said);
  await sleep(from - Date.now());
  return judge(crowd, (person) => dueAt(person - first) - toFakes);
}

/** @returns what is to be taken from this process's wall clock to have the platform's, less the fastest answer's way at most. */
async function behind(people: TelegramDriver, said: ReadonlyMap<number, number>): Promise<number> {
  const offsets = (await people.updates()).flatMap(({ chat, createdAt }) => {
    const at = said.get(chat);
    return at === undefined ? [] : [at - createdAt];
  });
  return Math.min(...offsets);
}

/** Waits until all are told, and for what would come a second time. */
async function judge({ people, count, first }: Crowd, dueAt: (person: number) => number): Promise<Told> {
  const busy = watchOthers();
  let others: number | undefined;
  let told = new Map<number, readonly number[]>();
  for (let until = performance.now() + patienceMs; performance.now() < until; await sleep(lookMs)) {
    told = await tellings(people, first, count);
    if (others !== undefined || told.size < count) continue;
    others = busy();
    until = performance.now() + settleMs;
  }
  const set = await answered(people, dueAt, first, count);
  const late = [...told].map(([person, [at = Number.NaN]]) => at - dueAt(person));
  const again = [...told.values()].reduce((sum, times) => sum + times.length - 1, 0);
  const missing = Array.from({ length: count }, (_, n) => first + n).filter((person) => !told.has(person));
  const unset = missing.filter((person) => !set.has(person)).length;
  return { late, lost: missing.length - unset, again, unset, others: others ?? busy() };
}

/** Who was answered before their time. */
async function answered(
  people: TelegramDriver,
  dueAt: (person: number) => number,
  first: number,
  count: number,
): Promise<ReadonlySet<number>> {
  const calls = await people.calls();
  const found = calls.flatMap(({ chat = -1, acceptedAt = Infinity, method }) =>
    method === "sendmessage" && chat >= first && chat < first + count && acceptedAt < dueAt(chat) ? [chat] : [],
  );
  return new Set(found);
}

/** When the platform took each one's reminder, the first time first. */
async function tellings(people: TelegramDriver, first: number, count: number): Promise<Map<number, readonly number[]>> {
  const told = new Map<number, readonly number[]>();
  for (const { chat = -1, text = "", acceptedAt, method } of await people.calls()) {
    if (acceptedAt === undefined || method !== "sendmessage" || chat < first || chat >= first + count) continue;
    if (text.split("\n").includes(tellingOf(chat))) told.set(chat, [...(told.get(chat) ?? []), acceptedAt]);
  }
  return told;
}

export async function remindAll(
  people: TelegramDriver,
  how: string,
  { full, say }: Pick<Bench, "full" | "say">,
): Promise<Figure[]> {
  const count = full ? 500 : 200;
  const quiet = quietly(say);
  let first = 10_000;
  await remind({ people, count: 10, first, askMs: 1_000, overSeconds: 0 }); // warm
  const figures: Figure[] = [];
  for (const overSeconds of [5, 0]) {
    const what = `${count} reminders ${overSeconds === 0 ? "at one time" : `over ${overSeconds} s`}${how}`;
    const rounds: Told[] = [];
    do {
      say(`${what} …`);
      first += 1_000;
      await people.clearLog();
      await quiet();
      rounds.push(await remind({ people, count, first, askMs: count * 100, overSeconds }));
    } while (rounds.length < mostRounds && rounds.every(({ others }) => others > calmShare));
    figures.push(...figuresOf(what, rounds));
  }
  return figures;
}

/** How late is the calmest round's; what goes wrong counts in all. */
function figuresOf(name: string, rounds: readonly Told[]): Figure[] {
  const { late, others } = rounds.reduce((calmest, one) => (one.others < calmest.others ? one : calmest));
  const sum = (of: (told: Told) => number) => rounds.reduce((all, told) => all + of(told), 0);
  const [lost, again] = [sum((told) => told.lost), sum((told) => told.again)];
  const early = sum((told) => told.late.filter((ms) => ms < 0).length);
  const [p50, p99] = [quantile(late, 0.5), quantile(late, 0.99)];
  return [
    {
      name: `${name}: the latest`,
      measured: quantile(late, 1),
      unit: "ms",
      bound: { most: mostLateMs },
      detail:
        `p50 ${shown(p50)} ms, p99 ${shown(p99)} ms, the first ${shown(quantile(late, 0))} ms; others had ` +
        `${shown(others * 100)}% of the machine`,
    },
    {
      name: `${name}: lost, told again or too early`,
      measured: lost + again + early,
      unit: "",
      bound: { most: 0 },
      detail: `${lost}, ${again} and ${early}; ${sum((told) => told.unset)} were set when their time was over`,
    },
  ];
}
