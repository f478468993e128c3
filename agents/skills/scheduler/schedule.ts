/**
 * When a reminder comes: once, in equal steps, or by a calendar's rule on somebody's wall clock.
 *
 * A rule is evaluated on the wall clock alone, and each of its times is looked up in the zone then: nine o'clock stays nine o'clock.
 * A time that the clock jumps over comes as much later as it jumps (02:30 comes at 03:30); one that it shows twice comes the first time.
 */
import { RRuleTemporal } from "rrule-temporal";
import { Temporal } from "temporal-polyfill";
import { z } from "zod";
import { ScheduleError } from "./trouble.ts";
import { zoneNamed } from "./zones.ts";

export const schedule = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("once"), at: z.number() }),
  z.object({ kind: z.literal("every"), from: z.number(), ms: z.number(), until: z.number().optional() }),
  z.object({
    kind: z.literal("calendar"),
    /** RFC 5545, without DTSTART and UNTIL. */
    rule: z.string(),
    /** Of the wall clock: "2026-11-27T09:00:00". */
    start: z.string(),
    zone: z.string(),
    until: z.number().optional(),
  }),
]);
export type Schedule = z.infer<typeof schedule>;

/** As it is asked for: exactly one of `inSeconds`, `at`, `everyMinutes` and `rule`. */
export interface Wish {
  readonly inSeconds?: number | undefined;
  /** Of the wall clock: "2026-11-27T09:00"; with `rule`: the first time, and the time of day of all. */
  readonly at?: string | undefined;
  readonly everyMinutes?: number | undefined;
  readonly rule?: string | undefined;
  /** Of the wall clock, or a date alone: nothing comes after it. */
  readonly until?: string | undefined;
  readonly zone?: string | undefined;
}

const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;
/** How far ahead a reminder may be, and how long one may repeat. */
export const horizonMs = 5 * 366 * dayMs;
/** No clock jumps over more, but where a zone changed sides of the date line. */
const longestJumpMs = 3 * 60 * minuteMs;
const mostSteps = 5_000;

/** @throws ScheduleError */
export function scheduleOf(wish: Wish, now: number): Schedule {
  const { inSeconds, at, everyMinutes, rule } = wish;
  const zone = wish.zone === undefined ? undefined : zoneNamed(wish.zone);
  const until = wish.until === undefined ? undefined : instantOf(endOf(wish.until), needed(zone));
  const end = until === undefined ? {} : { until };
  if (rule !== undefined) {
    if (at === undefined) throw new ScheduleError("time", "a rule needs `at`: its first date and its time of day");
    const start = plainOf(at).toString({ smallestUnit: "second" });
    return checked({ kind: "calendar", rule: checkedRule(rule), start, zone: needed(zone), ...end }, now);
  }
  if (everyMinutes !== undefined) {
    if (!(everyMinutes >= 1)) throw new ScheduleError("often", "a reminder comes once a minute at most");
    const ms = Math.round(everyMinutes * minuteMs);
    const from = at === undefined ? now + ms : instantOf(plainOf(at), needed(zone));
    return checked({ kind: "every", from, ms, ...end }, now);
  }
  if (inSeconds !== undefined) return checked({ kind: "once", at: now + Math.round(inSeconds * 1_000) }, now);
  if (at === undefined)
    throw new ScheduleError("time", "say when: `inSeconds`, `at`, `everyMinutes` or `rule` with `at`");
  return checked({ kind: "once", at: instantOf(plainOf(at), needed(zone)) }, now);
}

/** The first time after `after`; undefined where there is none. */
export function nextOf(of: Schedule, after: number): number | undefined {
  if (of.kind === "once") return of.at > after ? of.at : undefined;
  const next = of.kind === "every" ? stepAfter(of, after) : ruleAfter(of, after);
  return next === undefined || next > (of.until ?? Infinity) ? undefined : next;
}

/** How many of its times lie after one moment and not after another, counted up to `most`. */
export function countBetween(of: Schedule, after: number, end: number, most: number): number {
  let n = 0;
  for (let at = nextOf(of, after); at !== undefined && at <= end && n < most; at = nextOf(of, at)) n += 1;
  return n;
}

/** The same rule at another time of day; undefined where that makes no sense. */
export function movedTo(of: Schedule, time: { readonly hour: number; readonly minute: number }): Schedule | undefined {
  if (of.kind !== "calendar" || /BY(HOUR|MINUTE)=/.test(of.rule)) return undefined;
  const start = Temporal.PlainDateTime.from(of.start).with({ ...time, second: 0 });
  return { ...of, start: start.toString({ smallestUnit: "second" }) };
}

/** What the clock on the wall shows. */
export function wallClock(at: number, zone: string): Temporal.PlainDateTime {
  return Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(zone).toPlainDateTime();
}

function needed(zone: string | undefined): string {
  if (zone === undefined) throw new ScheduleError("zone", "the time zone is not known: give it, or ask for it");
  return zone;
}

function plainOf(text: string): Temporal.PlainDateTime {
  try {
    return Temporal.PlainDateTime.from(text);
  } catch (cause) {
    throw new ScheduleError("time", "a time is written 2026-11-27T09:00, on the wall clock, without an offset", {
      cause,
    });
  }
}

function endOf(text: string): Temporal.PlainDateTime {
  const plain = plainOf(text);
  return /^[\d-]+$/.test(text.trim()) ? plain.with({ hour: 23, minute: 59, second: 59 }) : plain;
}

function instantOf(plain: Temporal.PlainDateTime, zone: string): number {
  return plain.toZonedDateTime(zone, { disambiguation: "compatible" }).epochMilliseconds;
}

function checked(of: Schedule, now: number): Schedule {
  if (of.kind === "once" && of.at <= now) throw new ScheduleError("past", "that time is over already");
  const first = nextOf(of, now);
  if (first === undefined) throw new ScheduleError("never", "no time of that is still to come");
  if (first > now + horizonMs) throw new ScheduleError("far", "a reminder is five years ahead at most");
  return of;
}

function stepAfter({ from, ms }: Extract<Schedule, { kind: "every" }>, after: number): number {
  return from > after ? from : from + (Math.floor((after - from) / ms) + 1) * ms;
}

function ruleAfter({ rule, start, zone }: Extract<Schedule, { kind: "calendar" }>, after: number): number | undefined {
  // The wall clock's times, as if they were of a zone whose clock never jumps.
  const rules = rulesOf(rule, start);
  let wall: Date | undefined = new Date(Date.parse(`${wallClock(after, zone).toString()}Z`) - longestJumpMs);
  for (let steps = 0; steps < mostSteps; steps += 1) {
    const found = nextIn(rules, wall);
    if (found === undefined) return undefined;
    const at = instantOf(wallClock(found, "UTC"), zone);
    if (at > after) return at;
    wall = new Date(found);
  }
  return undefined;
}

function rulesOf(rule: string, start: string): RRuleTemporal {
  const dtstart = start.replace(/[-:]/g, "");
  return new RRuleTemporal({ rruleString: `DTSTART:${dtstart}Z\nRRULE:${rule}`, maxIterations: mostSteps });
}

function nextIn(rules: RRuleTemporal, after: Date): number | undefined {
  try {
    return rules.next(after)?.epochMilliseconds;
  } catch {
    return undefined; // its bound on looking: there is no such day, the 30th of February
  }
}

const listOf = (one: string): RegExp => new RegExp(`^${one}(,${one})*$`);
const ruleParts: Readonly<Record<string, RegExp>> = {
  FREQ: /^(DAILY|WEEKLY|MONTHLY|YEARLY)$/,
  INTERVAL: /^[1-9]\d{0,2}$/,
  COUNT: /^[1-9]\d{0,3}$/,
  BYDAY: listOf("([+-]?[1-5])?(MO|TU|WE|TH|FR|SA|SU)"),
  BYMONTHDAY: listOf("-?([1-9]|[12]\\d|3[01])"),
  BYMONTH: listOf("([1-9]|1[0-2])"),
  BYHOUR: listOf("(\\d|1\\d|2[0-3])"),
  BYMINUTE: listOf("(\\d|[1-5]\\d)"),
  BYSETPOS: listOf("-?[1-9]\\d{0,2}"),
  WKST: /^(MO|TU|WE|TH|FR|SA|SU)$/,
};

/** @throws ScheduleError */
function checkedRule(given: string): string {
  const rule = given
    .trim()
    .toUpperCase()
    .replace(/^RRULE:/, "")
    .replace(/;$/, "");
  const parts = rule.split(";").map((part) => part.split("="));
  const names = parts.map(([name = ""]) => name);
  const wrong = parts.find(([name = "", value = "", more]) => {
    return more !== undefined || !(Object.hasOwn(ruleParts, name) && ruleParts[name]?.test(value));
  });
  if (wrong === undefined && names.includes("FREQ") && new Set(names).size === names.length) return rule;
  throw new ScheduleError(
    "rule",
    "the rule is one of RFC 5545 with FREQ=DAILY, WEEKLY, MONTHLY or YEARLY and INTERVAL, COUNT, BYDAY, BYMONTHDAY, BYMONTH, " +
      "BYHOUR, BYMINUTE, BYSETPOS or WKST; its end goes into `until`, and what comes more often than daily into `everyMinutes` or BYHOUR",
  );
}
