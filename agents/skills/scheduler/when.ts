/**
 * Times in natural language, read without a model: English, German and Spanish. What chrono does not know of them (repetitions, and
 * a few ways to say a time) is put into its words before.
 *
 * It reads less than a person or a model does, and never guesses a time of day: what it does not understand is asked.
 */
import type { ParsedResult } from "chrono-node";
import { casual as de } from "chrono-node/de";
import { casual as en } from "chrono-node/en";
import { casual as es } from "chrono-node/es";
import { Temporal } from "temporal-polyfill";
import { scheduleOf, wallClock, type Schedule, type Wish } from "./schedule.ts";
import { repetitionIn, type Repetition } from "./repetition.ts";
import type { Language } from "./state.ts";
import { ScheduleError } from "./trouble.ts";
import { zoneIn } from "./zones.ts";

export interface When {
  readonly schedule?: Schedule;
  /** How it repeats, in the words of the request. */
  readonly repeats?: string;
  readonly zone?: string;
  /** The time of day, where the request has one. */
  readonly time?: { readonly hour: number; readonly minute: number };
  /** What is not known yet; without it there is a schedule. */
  readonly missing?: "time" | "zone";
  /** The request without its times. */
  readonly rest: string;
}

const chronos = { en, de, es };

type Rewrite = readonly [RegExp, string | ((...found: string[]) => string)];

const rewrites: Readonly<Record<Language, readonly Rewrite[]>> = {
  en: [],
  de: [
    [/\bin (einer|1) halben stunde\b/gi, "in 30 Minuten"],
    [/\bin einer viertelstunde\b/gi, "in 15 Minuten"],
    [/\bin einer dreiviertelstunde\b/gi, "in 45 Minuten"],
    [/\bum halb (\d{1,2})\b(?: uhr)?/gi, (_, hour = "") => `um ${Number(hour) - 1 || 12}:30 Uhr`],
    [/\b(?:am )?(\d{1,2})\.\s?(\d{1,2})\.(?!\d)/gi, (_, day = "", month = "") => dayAndMonth(day, month, "de")],
  ],
  es: [
    [/\ben media hora\b/gi, "en 30 minutos"],
    [/\ben un cuarto de hora\b/gi, "en 15 minutos"],
    [/\bpasado mañana\b/gi, "en 2 días"],
    [/\b(a las? \d{1,2}) y media\b/gi, (_, at = "") => `${at}:30`],
    [/\b(a las? )(\d{1,2}(?::\d\d)?) de la mañana\b/gi, (_, at = "", time = "") => `${at}${time} am`],
    [/\b(a las? )(\d{1,2}(?::\d\d)?) de la (?:tarde|noche)\b/gi, (_, at = "", time = "") => `${at}${time} pm`],
  ],
};

const months: Partial<Record<Language, readonly string[]>> = {
  de: "Januar Februar März April Mai Juni Juli August September Oktober November Dezember".split(" "),
};
function dayAndMonth(day: string, month: string, of: Language): string {
  const name = months[of]?.[Number(month) - 1];
  return name === undefined ? `${day}.${month}.` : `am ${day}. ${name}`;
}

/** What chrono found, all of it together: a date here, a time of day there. */
interface Found {
  readonly exact?: number;
  readonly date?: Temporal.PlainDate;
  /** Only its day of the week was said, so that a later one does as well. */
  readonly weekday: boolean;
  readonly time?: { readonly hour: number; readonly minute: number; readonly second: number };
}

function foundIn(results: readonly ParsedResult[]): Found {
  let found: Found = { weekday: false };
  for (const { start: of } of results) {
    const tags = of.tags();
    if (tags.has("result/relativeDateAndTime") || (of.isCertain("timezoneOffset") && of.isCertain("hour"))) {
      if (!tags.has("result/relativeDate") || of.isCertain("minute")) found = { exact: of.date().getTime(), ...found };
    }
    const [year, month, day] = [of.get("year"), of.get("month"), of.get("day")];
    const weekday = of.isCertain("weekday") && !of.isCertain("day");
    if (found.date === undefined && (of.isCertain("day") || weekday) && year !== null && month !== null && day !== null)
      found = { ...found, date: Temporal.PlainDate.from({ year, month, day }), weekday };
    const hour = of.get("hour");
    if (found.time === undefined && of.isCertain("hour") && hour !== null)
      found = { ...found, time: { hour, minute: of.get("minute") ?? 0, second: of.get("second") ?? 0 } };
  }
  return found;
}

/** @throws ScheduleError where it is understood, and cannot be. */
export function readWhen(request: string, of: Language, now: number, known: string | undefined): When {
  const named = zoneIn(request, { only: "names" });
  const zone = named?.zone ?? known;
  let text = named === undefined ? request : request.replace(named.found, " ");
  for (const [pattern, to] of rewrites[of]) text = text.replace(pattern, to as string);
  const repetition = repetitionIn(text, of);
  if (repetition !== undefined) text = text.replace(repetition.found, " ");
  const local = wallClock(now, zone ?? "UTC");
  const offset = Math.round((Date.parse(`${local.toString()}Z`) - now) / 60_000);
  const results = chronos[of].parse(text, { instant: new Date(now), timezone: offset }, { forwardDate: true });
  const found = foundIn(results);
  const time = found.time === undefined ? {} : { time: { hour: found.time.hour, minute: found.time.minute } };
  const repeats = repetition === undefined ? {} : { repeats: repetition.found.trim().toLowerCase() };
  const about = { rest: without(text, results, of), ...time, ...repeats, ...(zone === undefined ? {} : { zone }) };
  if (results.length === 0 && repetition?.everyMinutes === undefined) return { ...about, missing: "time" };
  const wish = wishOf(found, repetition, local, now);
  if (wish === undefined) return { ...about, missing: "time" };
  if (zone === undefined && wish.at !== undefined) return { ...about, missing: "zone" };
  return { ...about, schedule: soonest({ ...wish, zone }, found, now) };
}

function wishOf(
  found: Found,
  repetition: Repetition | undefined,
  local: Temporal.PlainDateTime,
  now: number,
): Wish | undefined {
  const { exact, date, time } = found;
  const at = (): string | undefined =>
    time === undefined ? undefined : (date ?? local.toPlainDate()).toPlainDateTime(time).toString();
  if (repetition?.everyMinutes !== undefined) return { everyMinutes: repetition.everyMinutes, at: at() };
  if (repetition?.rule !== undefined) return time === undefined ? undefined : { rule: repetition.rule, at: at() };
  if (exact !== undefined) return { inSeconds: (exact - now) / 1_000 };
  return time === undefined ? undefined : { at: at() };
}

/** Today's time that is over means tomorrow's, and a weekday's the one of next week. */
function soonest(wish: Wish, { date, weekday }: Found, now: number): Schedule {
  try {
    return scheduleOf(wish, now);
  } catch (error) {
    const retry = error instanceof ScheduleError && error.trouble === "past" && wish.at !== undefined;
    if (!retry || (date !== undefined && !weekday)) throw error;
    const later = Temporal.PlainDateTime.from(wish.at ?? "").add({ days: weekday ? 7 : 1 });
    return scheduleOf({ ...wish, at: later.toString() }, now);
  }
}

const leadIns: Readonly<Record<Language, RegExp>> = {
  en: /^(?:(?:hey|hi|hello|please|pls|can you|could you|would you|i want you to|i need you to)[\s,]+)*(?:remind me|(?:(?:set|add|create|make|give me)(?: up)?\s+)?(?:me\s+)?(?:an?\s+)?(?:\w+\s+)?reminder|(?:alert|notify|ping|tell|wake) me(?: up)?)(?!\p{L})/iu,
  de: /^(?:(?:hallo|hey|bitte|kannst du|könntest du)[\s,]+)*(?:(?:erinnere?|wecke?|benachrichtige) mich|mich|(?:stelle?|setze?|erstelle?|mache?)\s+(?:mir\s+)?(?:eine\s+)?erinnerung|(?:eine\s+)?erinnerung)(?:\s+bitte)?(?!\p{L})/iu,
  es: /^(?:(?:hola|por favor|puedes|podrías)[\s,]+)*(?:recu[eé]rd(?:a|ame|eme)|av[ií]s(?:ame|eme)|despi[eé]rtame|(?:pon|ponme|crea|créame|añade)\s+(?:un\s+)?recordatorio|(?:un\s+)?recordatorio|recordarme)(?!\p{L})/iu,
};
/** What joins a request's parts, at the beginning and at the end of what is left. */
const joints: Readonly<Record<Language, readonly [RegExp, RegExp]>> = {
  en: [
    /^(?:to|that|about|of|for|at|on|by|in|please|i (?:have|need) to)(?!\p{L})/iu,
    /(?<!\p{L})(?:at|on|by|to|please)$/iu,
  ],
  de: [
    /^(?:an(?: den| die| das)?|ans|daran|dass|zu|für|um|am|bitte|ich (?:muss|soll))(?!\p{L})/iu,
    /(?<!\p{L})(?:um|am|an|bitte|zu erinnern|erinnern)$/iu,
  ],
  es: [/^(?:que|de|a|para|por favor|el|la|las|tengo que)(?!\p{L})/iu, /(?<!\p{L})(?:a|el|la|las|por favor)$/iu],
};

/** What is left of a request without its times and the words around them: what one is reminded of. */
function without(text: string, results: readonly ParsedResult[], of: Language): string {
  let rest = text;
  for (const { index, text: found } of [...results].toReversed()) {
    const before = rest.slice(0, index).replace(joints[of][1], "").trimEnd();
    rest = `${before} ${rest.slice(index + found.length).trimStart()}`;
  }
  return trimmed(rest, of);
}

const border = /^[\s,;:.!?"“”„»«()–-]+|[\s,;:.!?"“”„»«()–-]+$/gu;

export function trimmed(text: string, of: Language): string {
  let rest = text.replace(/\s+/g, " ").replace(border, "").replace(leadIns[of], "");
  for (let before = ""; before !== rest;) {
    before = rest;
    rest = rest.replace(border, "").replace(joints[of][0], "").replace(joints[of][1], "");
  }
  return rest;
}
