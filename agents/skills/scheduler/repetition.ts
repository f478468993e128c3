/** Repetitions in natural language: "every Monday", "alle zwei Stunden", "cada día". */
import type { Language } from "./state.ts";

/** A repetition: what of the text says it, and what it means. */
export interface Repetition {
  readonly found: string;
  readonly rule?: string;
  readonly everyMinutes?: number;
}

const weekdays: Readonly<Record<Language, readonly [RegExp, string][]>> = {
  en: [
    [/^mon/, "MO"],
    [/^tue/, "TU"],
    [/^wed/, "WE"],
    [/^thu/, "TH"],
    [/^fri/, "FR"],
    [/^sat/, "SA"],
    [/^sun/, "SU"],
  ],
  de: [
    [/^mon?t/, "MO"],
    [/^die/, "TU"],
    [/^mit/, "WE"],
    [/^don/, "TH"],
    [/^fre/, "FR"],
    [/^sam|^sonna/, "SA"],
    [/^sonnt/, "SU"],
  ],
  es: [
    [/^lun/, "MO"],
    [/^mar/, "TU"],
    [/^mi[eé]/, "WE"],
    [/^jue/, "TH"],
    [/^vie/, "FR"],
    [/^s[aá]b/, "SA"],
    [/^dom/, "SU"],
  ],
};
const dayNames: Readonly<Record<Language, string>> = {
  en: "(?:mon|tues|wednes|thurs|fri|satur|sun)days?",
  de: "(?:mon|diens|donners|frei|sams|sonn)tags?|mittwochs?|sonnabends?",
  es: "lunes|martes|mi[eé]rcoles|jueves|viernes|s[aá]bados?|domingos?",
};
const ands: Readonly<Record<Language, string>> = { en: "and", de: "und", es: "y" };

type Unit = "minute" | "hour" | "day" | "week" | "month" | "year";
const units: Readonly<Record<Language, readonly [RegExp, Unit][]>> = {
  en: [
    [/^min/, "minute"],
    [/^h/, "hour"],
    [/^day/, "day"],
    [/^week/, "week"],
    [/^month/, "month"],
    [/^year/, "year"],
  ],
  de: [
    [/^min/, "minute"],
    [/^st/, "hour"],
    [/^tag/, "day"],
    [/^woche/, "week"],
    [/^monat/, "month"],
    [/^jahr/, "year"],
  ],
  es: [
    [/^min/, "minute"],
    [/^hora/, "hour"],
    [/^d[ií]a/, "day"],
    [/^semana/, "week"],
    [/^mes/, "month"],
    [/^año/, "year"],
  ],
};

const workdays = "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR";
const edge = "(?![\\p{L}\\d])";
const start = "(?<![\\p{L}\\d])";
/** In the order of trying: workdays, days by name, single words, and "every" with a number and a unit. */
const phrases: Readonly<
  Record<Language, { workdays: string; every: string; daily: readonly [string, Unit][]; counted: string }>
> = {
  en: {
    workdays:
      "(?:every|each|on) (?:weekdays?|work(?:ing )?days?)|weekdays|from monday (?:to|through) friday|monday (?:to|through) friday",
    every: "(?:every|each|on)",
    daily: [
      ["hourly", "hour"],
      ["daily", "day"],
      ["weekly", "week"],
      ["monthly", "month"],
      ["yearly|annually", "year"],
    ],
    counted: "(?:every|each) (?:(\\d{1,3}|other) )?(minutes?|mins?|hours?|days?|weeks?|months?|years?)",
  },
  de: {
    workdays: "werktags|(?:an )?(?:jedem|jeden) (?:werktag|arbeitstag)|(?:von )?montags? bis freitags?",
    every: "(?:jeden|jede|jeweils)",
    daily: [
      ["stündlich", "hour"],
      ["täglich", "day"],
      ["wöchentlich", "week"],
      ["monatlich", "month"],
      ["jährlich", "year"],
    ],
    counted:
      "(?:jeden|jede|jedes|alle) (?:(\\d{1,3}|zweiten|zweite|zwei) )?(minuten?|stunden?|tage?n?|wochen?|monate?|jahre?)",
  },
  es: {
    workdays: "(?:de )?lunes a viernes|(?:cada día|todos los días) (?:laborables?|hábil(?:es)?)|entre semana",
    every: "(?:cada|todos los|todas las)",
    daily: [
      ["diariamente|a diario", "day"],
      ["semanalmente", "week"],
      ["mensualmente", "month"],
      ["anualmente", "year"],
    ],
    counted: "(?:cada|todos los|todas las) (?:(\\d{1,3}|dos) )?(minutos?|horas?|días?|semanas?|mes(?:es)?|años?)",
  },
};
const frequencies = { day: "DAILY", week: "WEEKLY", month: "MONTHLY", year: "YEARLY" } as const;

export function repetitionIn(text: string, of: Language): Repetition | undefined {
  const { workdays: working, every, daily, counted } = phrases[of];
  const find = (pattern: string) => new RegExp(`${start}(?:${pattern})${edge}`, "iu").exec(text);
  const work = find(working);
  if (work !== null) return { found: work[0], rule: workdays };
  // "on Friday" is once, "on Fridays" and "every Friday" are not.
  const name = `(?:${dayNames[of]})`;
  const days = find(`(?:${every} )?${name}(?:(?:,| ${ands[of]}|, ${ands[of]}) (?:${every} )?${name})*`);
  if (days !== null && isRepeated(days[0], of)) {
    const found = [...days[0].toLowerCase().matchAll(new RegExp(name, "giu"))].map(([day]) =>
      codeOf(weekdays[of], day),
    );
    return { found: days[0], rule: `FREQ=WEEKLY;BYDAY=${[...new Set(found)].join(",")}` };
  }
  const number = find(counted);
  if (number !== null) {
    const [found, given, unit = ""] = number;
    const n = given === undefined ? 1 : /^\d/.test(given) ? Number(given) : 2;
    return repeated(found, codeOf(units[of], unit.toLowerCase()), n);
  }
  for (const [pattern, unit] of daily) {
    const found = find(pattern);
    if (found !== null) return repeated(found[0], unit, 1);
  }
  return undefined;
}

function isRepeated(found: string, of: Language): boolean {
  if (of === "en") return /^(every|each)\b/i.test(found) || /days\b/i.test(found);
  if (of === "de") return /^(jede|jeweils)/i.test(found) || /(tags|wochs|abends)\b/.test(found);
  return /^(cada|tod[oa]s)\b/i.test(found);
}

function codeOf<Code extends string>(table: readonly (readonly [RegExp, Code])[], word: string): Code | undefined {
  return table.find(([pattern]) => pattern.test(word))?.[1];
}

function repeated(found: string, unit: Unit | undefined, n: number): Repetition | undefined {
  if (unit === undefined || n === 0) return undefined;
  if (unit === "minute" || unit === "hour") return { found, everyMinutes: unit === "minute" ? n : n * 60 };
  return { found, rule: `FREQ=${frequencies[unit]}${n === 1 ? "" : `;INTERVAL=${n}`}` };
}
