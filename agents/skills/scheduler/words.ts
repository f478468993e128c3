/** What the scheduler says by itself, in the languages that it reads. */
import type { Trouble } from "./trouble.ts";
import type { Language } from "./state.ts";

interface Words {
  readonly set: (when: string, text: string, repeats: string | undefined) => string;
  readonly moved: (when: string, text: string, repeats: string | undefined) => string;
  readonly canceled: (texts: string) => string;
  readonly listed: (list: string) => string;
  readonly none: string;
  readonly notFound: (list: string) => string;
  readonly which: (list: string) => string;
  readonly next: (when: string) => string;
  readonly askTime: string;
  readonly askZone: string;
  readonly askText: string;
  readonly inVain: string;
  readonly help: string;
  readonly standing: (when: string, text: string) => string;
  readonly due: (text: string) => string;
  readonly late: (ago: string, when: string) => string;
  readonly missed: (times: number) => string;
  readonly last: string;
  readonly tooMany: (most: number) => string;
  readonly tooLong: (most: number) => string;
  readonly trouble: Readonly<Record<Trouble, string>>;
}

const en: Words = {
  set: (when, text, repeats) =>
    repeats === undefined
      ? `I will remind you ${when}: ${text}`
      : `I will remind you ${repeats}, first ${when}: ${text}`,
  moved: (when, text, repeats) =>
    `Changed. I will remind you ${repeats === undefined ? when : `${repeats}, first ${when}`}: ${text}`,
  canceled: (texts) => `Cancelled: ${texts}`,
  listed: (list) => `Your reminders:\n${list}`,
  none: "You have no reminders.",
  notFound: (list) => `I find no such reminder. Your reminders:\n${list}`,
  which: (list) => `Which one? Say its number:\n${list}`,
  next: (when) => `next ${when}`,
  askTime: "At what time? Say it with the hour, such as “tomorrow at 9:00” or “in 20 minutes”.",
  askZone: "In which time zone are you? Say its name, such as Europe/Berlin, or the large city that it is named after.",
  askText: "What shall I remind you of?",
  inVain:
    "I do not understand when that is, so no reminder is set. Ask again in one sentence, such as “remind me tomorrow at 9:00 to call Bob”.",
  help:
    "I run without a language model and understand simple requests only, such as “remind me in 10 minutes to drink tea”, “remind me " +
    "every Monday at 9:00 to water the plants”, “list my reminders”, “cancel the tea reminder” or “move the tea reminder to 17:00”.",
  standing: (when, text) => `This reminder stands, ${when}: ${text}. Say “cancel it”, or “move it to 17:00”.`,
  due: (text) => `Reminder: ${text}`,
  late: (ago, when) => `It comes late: it was due ${ago}, ${when}.`,
  missed: (times) => (times === 1 ? "One more time passed meanwhile." : `${times} more times passed meanwhile.`),
  last: "It was the last time.",
  tooMany: (most) => `You have ${most} reminders, which is the most there may be: cancel some first.`,
  tooLong: (most) => `A reminder's text has at most ${most} characters: say it in fewer words.`,
  trouble: {
    past: "That time is over already.",
    far: "That is too far ahead: a reminder may be five years ahead at most.",
    often: "That is too often: a reminder comes once a minute at most.",
    never: "No time of that is still to come.",
    zone: "I do not know that time zone.",
    time: "I do not understand that time.",
    rule: "I do not understand how often that is.",
  },
};

const de: Words = {
  set: (when, text, repeats) =>
    repeats === undefined
      ? `Ich erinnere dich ${when}: ${text}`
      : `Ich erinnere dich ${repeats}, zuerst ${when}: ${text}`,
  moved: (when, text, repeats) =>
    `Geändert. Ich erinnere dich ${repeats === undefined ? when : `${repeats}, zuerst ${when}`}: ${text}`,
  canceled: (texts) => `Gelöscht: ${texts}`,
  listed: (list) => `Deine Erinnerungen:\n${list}`,
  none: "Du hast keine Erinnerungen.",
  notFound: (list) => `Diese Erinnerung finde ich nicht. Deine Erinnerungen:\n${list}`,
  which: (list) => `Welche? Sag ihre Nummer:\n${list}`,
  next: (when) => `das nächste Mal ${when}`,
  askTime: "Um wie viel Uhr? Sag es mit der Stunde, etwa „morgen um 9 Uhr“ oder „in 20 Minuten“.",
  askZone:
    "In welcher Zeitzone bist du? Sag ihren Namen, etwa Europe/Berlin, oder die große Stadt, nach der sie heißt.",
  askText: "Woran soll ich dich erinnern?",
  inVain:
    "Ich verstehe nicht, wann das ist; es ist keine Erinnerung gesetzt. Frag noch einmal in einem Satz, etwa „erinnere mich morgen um " +
    "9 Uhr an Bob“.",
  help:
    "Ich arbeite ohne Sprachmodell und verstehe nur einfache Bitten, etwa „erinnere mich in 10 Minuten an den Tee“, „erinnere mich jeden " +
    "Montag um 9 Uhr an die Pflanzen“, „zeige meine Erinnerungen“, „lösche die Erinnerung an den Tee“ oder „verschiebe die Erinnerung an " +
    "den Tee auf 17:00 Uhr“.",
  standing: (when, text) =>
    `Diese Erinnerung steht, ${when}: ${text}. Sag „lösche sie“ oder „verschiebe sie auf 17:00 Uhr“.`,
  due: (text) => `Erinnerung: ${text}`,
  late: (ago, when) => `Sie kommt zu spät: fällig war sie ${ago}, ${when}.`,
  missed: (times) =>
    times === 1 ? "Ein weiteres Mal ist inzwischen ausgefallen." : `${times} weitere Male sind inzwischen ausgefallen.`,
  last: "Das war das letzte Mal.",
  tooMany: (most) => `Du hast ${most} Erinnerungen, mehr gehen nicht: lösche erst einige.`,
  tooLong: (most) => `Der Text einer Erinnerung hat höchstens ${most} Zeichen: sag es mit weniger Worten.`,
  trouble: {
    past: "Diese Zeit ist schon vorbei.",
    far: "Das ist zu weit weg: eine Erinnerung liegt höchstens fünf Jahre voraus.",
    often: "Das ist zu oft: eine Erinnerung kommt höchstens einmal in der Minute.",
    never: "Davon kommt kein Mal mehr.",
    zone: "Diese Zeitzone kenne ich nicht.",
    time: "Diese Zeit verstehe ich nicht.",
    rule: "Ich verstehe nicht, wie oft das ist.",
  },
};

const es: Words = {
  set: (when, text, repeats) =>
    repeats === undefined ? `Te lo recordaré ${when}: ${text}` : `Te lo recordaré ${repeats}, primero ${when}: ${text}`,
  moved: (when, text, repeats) =>
    `Cambiado. Te lo recordaré ${repeats === undefined ? when : `${repeats}, primero ${when}`}: ${text}`,
  canceled: (texts) => `Cancelado: ${texts}`,
  listed: (list) => `Tus recordatorios:\n${list}`,
  none: "No tienes recordatorios.",
  notFound: (list) => `No encuentro ese recordatorio. Tus recordatorios:\n${list}`,
  which: (list) => `¿Cuál? Di su número:\n${list}`,
  next: (when) => `la próxima vez ${when}`,
  askTime: "¿A qué hora? Dila con la hora, por ejemplo «mañana a las 9:00» o «en 20 minutos».",
  askZone: "¿En qué zona horaria estás? Di su nombre, por ejemplo Europe/Madrid, o la gran ciudad que le da nombre.",
  askText: "¿Qué quieres que te recuerde?",
  inVain:
    "No entiendo cuándo es, y no hay ningún recordatorio. Pídelo otra vez en una frase, por ejemplo «recuérdame mañana a las 9:00 llamar a Bob».",
  help:
    "Trabajo sin modelo de lenguaje y solo entiendo peticiones sencillas, por ejemplo «recuérdame en 10 minutos tomar el té», «recuérdame " +
    "cada lunes a las 9:00 regar las plantas», «muestra mis recordatorios», «cancela el recordatorio del té» o «mueve el recordatorio del té " +
    "a las 17:00».",
  standing: (when, text) => `Este recordatorio sigue en pie, ${when}: ${text}. Di «cancélalo» o «muévelo a las 17:00».`,
  due: (text) => `Recordatorio: ${text}`,
  late: (ago, when) => `Llega tarde: era ${ago}, ${when}.`,
  missed: (times) => (times === 1 ? "Mientras tanto pasó una vez más." : `Mientras tanto pasaron ${times} veces más.`),
  last: "Fue la última vez.",
  tooMany: (most) => `Tienes ${most} recordatorios, el máximo: cancela algunos primero.`,
  tooLong: (most) => `El texto de un recordatorio tiene como máximo ${most} caracteres: dilo con menos palabras.`,
  trouble: {
    past: "Esa hora ya ha pasado.",
    far: "Es demasiado lejos: un recordatorio puede ser para dentro de cinco años como máximo.",
    often: "Es demasiado a menudo: un recordatorio llega una vez por minuto como máximo.",
    never: "Ya no queda ninguna vez.",
    zone: "No conozco esa zona horaria.",
    time: "No entiendo esa hora.",
    rule: "No entiendo con qué frecuencia es.",
  },
};

export const wordsIn: Readonly<Record<Language, Words>> = { en, de, es };

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const soonMs = 10 * minuteMs;

/** "in 10 minutes", "3 hours ago". */
export function relative(ms: number, of: Language): string {
  const format = new Intl.RelativeTimeFormat(of);
  const size = Math.abs(ms);
  if (size < 90_000) return format.format(Math.round(ms / 1_000), "second");
  if (size < 90 * minuteMs) return format.format(Math.round(ms / minuteMs), "minute");
  if (size < 36 * hourMs) return format.format(Math.round(ms / hourMs), "hour");
  return format.format(Math.round(ms / (24 * hourMs)), "day");
}

/** On the wall clock of the zone; from `now` on where it is soon, or nobody knows the zone. */
export function moment(at: number, zone: string | undefined, now: number, of: Language): string {
  if (zone === undefined || (at > now && at - now < soonMs)) return relative(at - now, of);
  const date = { weekday: "long", year: "numeric", month: "long", day: "numeric" } as const;
  const time = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" } as const;
  const format = new Intl.DateTimeFormat(of === "en" ? "en-GB" : of, { ...date, ...time, timeZone: zone });
  return `${format.format(at)} (${zone})`;
}
