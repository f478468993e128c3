/**
 * Many people are reminded around the same time, by the agent that does it for everybody. Judged from outside: a reminder is due at
 * the second that its person named, and has come when the platform has taken it.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { TelegramDriver } from "../fakes/telegram/driver.ts";
import { quantile, shown, type Figure } from "./figures.ts";
import type { StartOptions } from "./contenders.ts";
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
}

const patienceMs = 30_000;
/** A second telling, by a job that looks whether the first one was made, would come within it. */
const settleMs = 12_000;
/** From the last one's words to the first reminder. */
const setMs = 10_000;
const secondMs = 1_000;

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
  await sleep(dueAt(count - 1) - Date.now());
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
  let told = new Map<number, readonly number[]>();
  for (let until = performance.now() + patienceMs, whole = false; performance.now() < until; await sleep(1_000)) {
    told = await tellings(people, first, count);
    if (whole || told.size < count) continue;
    whole = true;
    until = performance.now() + settleMs;
  }
  const late = [...told].map(([person, [at = Number.NaN]]) => at - dueAt(person));
  const again = [...told.values()].reduce((sum, times) => sum + times.length - 1, 0);
  return { late, lost: count - told.size, again };
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

/** As promised: within two seconds, once, and never before its time. */
const mostLateMs = 2_000;

export async function remindAll(
  people: TelegramDriver,
  how: string,
  { full, say }: Pick<Bench, "full" | "say">,
): Promise<Figure[]> {
  const count = full ? 500 : 200;
  await remind({ people, count: 10, first: 10_000, askMs: 1_000, overSeconds: 0 }); // warm
  const figures: Figure[] = [];
  for (const overSeconds of [5, 0]) {
    const what = `${count} reminders ${overSeconds === 0 ? "at one time" : `over ${overSeconds} s`}${how}`;
    say(`${what} …`);
    await people.clearLog();
    const told = await remind({ people, count, first: 20_000 + overSeconds * 1_000, askMs: count * 100, overSeconds });
    figures.push(...figuresOf(what, told));
  }
  return figures;
}

function figuresOf(name: string, { late, lost, again }: Told): Figure[] {
  const early = late.filter((ms) => ms < 0).length;
  const [p50, p99] = [quantile(late, 0.5), quantile(late, 0.99)];
  return [
    {
      name: `${name}: the latest`,
      measured: quantile(late, 1),
      unit: "ms",
      bound: { most: mostLateMs },
      detail: `${late.length} people, p50 ${shown(p50)} ms, p99 ${shown(p99)} ms, the first ${shown(quantile(late, 0))} ms`,
    },
    {
      name: `${name}: lost, told again or too early`,
      measured: lost + again + early,
      unit: "",
      bound: { most: 0 },
      detail: `${lost}, ${again} and ${early}`,
    },
  ];
}
