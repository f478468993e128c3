/**
 * Requests as they are understood without a model: by their words. It says so where it does not understand one, and asks where a
 * time, a zone or what to remind of is missing.
 */
import { listOf, whenOf, type Decision, type Scene, type Standing } from "./decision.ts";
import { movedTo } from "./schedule.ts";
import { longestText, type Asking, type Language, type Reminder } from "./state.ts";
import { ScheduleError } from "./trouble.ts";
import { readWhen, trimmed, type When } from "./when.ts";
import { wordsIn } from "./words.ts";
import { zoneIn } from "./zones.ts";

type Intent = "list" | "cancel" | "change" | "set" | "none";

const mostTries = 3;

const lists: Readonly<Record<Language, RegExp>> = {
  en: /\b(list|show|which|what)\b.*\breminders?\b|^\W*(my )?reminders\W*$/i,
  de: /(liste|zeig|welche|was für).*erinnerung|^\W*(meine )?erinnerungen\W*$/i,
  es: /(lista|muestra|qué|cuáles|ver).*recordatorios?|^\W*(mis )?recordatorios\W*$/i,
};
const cancels: Readonly<Record<Language, RegExp>> = {
  en: /^\W*(please |can you |could you )*(cancel|delete|remove|drop|stop|forget)\b/i,
  de: /^\W*(bitte )?(lösche?|storniere?|entferne?|streiche?|beende?|vergiss)(?!\p{L})/iu,
  es: /^\W*(por favor,? )?(cancela|canc[eé]lalo|borra|elimina|quita|anula)(?!\p{L})/iu,
};
const changes: Readonly<Record<Language, RegExp>> = {
  en: /^\W*(please |can you |could you )*(move|change|postpone|reschedule|shift|make)\b/i,
  de: /^\W*(bitte )?(verschiebe?|ändere?|verlege?)(?!\p{L})/iu,
  es: /^\W*(por favor,? )?(mueve|mu[eé]velo|cambia|c[aá]mbialo|aplaza|pospón)(?!\p{L})/iu,
};
const sets =
  /remind|alert me|notify me|ping me|wake me|erinner|weck|benachrichtige|recu[eé]rd|recordat|recordar|av[ií]s|despi[eé]rt/i;
const alls: Readonly<Record<Language, RegExp>> = {
  en: /\b(all|every one|everything)\b/i,
  de: /(?<!\p{L})(alle|alles)(?!\p{L})/iu,
  es: /(?<!\p{L})(todos|todas|todo)(?!\p{L})/iu,
};
const excepts: Readonly<Record<Language, RegExp>> = {
  en: /\b(?:but|except(?:ing)?(?: for)?|apart from|other than)\b/i,
  de: /(?<!\p{L})(?:außer|ausser|bis auf|ausgenommen)(?!\p{L})/iu,
  es: /(?<!\p{L})(?:menos|excepto|salvo)(?!\p{L})/iu,
};
/** What says nothing of which reminder is meant. */
const fillers = new Set(
  (
    "the my a an it this that of to at on for about please reminder reminders reminding me cancel delete remove drop stop forget move change " +
    "postpone reschedule shift make number no can you could all one them these those now " +
    "die der das den meine mein sie an auf um für bitte erinnerung erinnerungen lösche lösch loesche storniere entferne streiche beende " +
    "vergiss verschiebe verschieb ändere verlege nummer alle alles eine sie jetzt " +
    "el la los las mi mis lo de del a para por favor recordatorio recordatorios cancela cancelalo borra elimina quita anula mueve muevelo " +
    "cambia cambialo aplaza pospon numero todos todas todo un una ellos ahora"
  ).split(" "),
);

function intentOf(text: string, of: Language): Intent {
  if (cancels[of].test(text)) return "cancel";
  if (changes[of].test(text)) return "change";
  if (lists[of].test(text)) return "list";
  return sets.test(text) ? "set" : "none";
}

/** @param asking what was asked in this task before, which `text` then answers. */
export function understand(text: string, asking: Asking | undefined, scene: Scene): Decision {
  const words = wordsIn[scene.language];
  try {
    return asking === undefined ? first(text, scene) : answered(text, asking, scene);
  } catch (error) {
    if (!(error instanceof ScheduleError)) throw error;
    const said = words.trouble[error.trouble];
    if (error.trouble !== "past" && error.trouble !== "time") return { kind: "refuse", said };
    const request = asking?.request ?? text;
    // The time of day that does not fit is taken away with what was said last.
    const again = ask("time", { ...(asking ?? { tries: 0 }), request }, scene);
    return { ...again, said: `${said} ${again.said}` };
  }
}

function first(text: string, scene: Scene): Decision {
  const { language: of, all, now, own } = scene;
  const words = wordsIn[of];
  const intent = intentOf(text, of);
  switch (intent) {
    case "list":
      return { kind: "say", said: all.length === 0 ? words.none : words.listed(listOf(all, now)) };
    case "cancel":
      return cancel(text, scene);
    case "change":
      return change(text, scene);
    case "set":
      if (own === undefined) return begin(text, {}, scene);
      break;
    case "none":
      break;
  }
  if (own !== undefined) {
    const when = readWhen(text, of, now, own.reminder.zone ?? scene.zone);
    if (when.schedule !== undefined) return moved(own, when, scene);
    return { kind: "say", said: words.standing(whenOf(own.reminder, now), own.reminder.text) };
  }
  const when = readWhen(text, of, now, scene.zone);
  // "tomorrow at 9: call Bob" says all that is needed.
  if (when.schedule !== undefined && when.rest !== "") return begin(text, {}, scene);
  return { kind: "refuse", said: words.help };
}

type Known = Partial<Pick<Asking, "text" | "zone" | "tries">>;

function begin(request: string, known: Known, scene: Scene): Decision {
  const { language: of, now } = scene;
  const words = wordsIn[of];
  const zone = known.zone ?? scene.zone;
  const when = readWhen(request, of, now, zone);
  const asking = { ...known, ...(zone === undefined ? {} : { zone }), tries: known.tries ?? 0, request };
  if (when.missing !== undefined) return ask(when.missing, asking, scene);
  const text = known.text ?? when.rest;
  if (text === "") return ask("text", asking, scene);
  if (text.length > longestText) return { kind: "refuse", said: words.tooLong(longestText) };
  if (when.schedule === undefined) return { kind: "refuse", said: words.help };
  const { schedule, repeats } = when;
  const own = {
    ...(repeats === undefined ? {} : { repeats }),
    ...(when.zone === undefined ? {} : { zone: when.zone }),
  };
  const reminder: Reminder = { text, schedule, language: of, ...own };
  return { kind: "set", reminder, said: words.set(whenOf(reminder, now), text, repeats) };
}

function ask(
  missing: Asking["missing"],
  about: Known & Pick<Asking, "request" | "candidates">,
  { language, own, all, now }: Scene,
): Decision {
  const words = wordsIn[language];
  const tries = (about.tries ?? 0) + 1;
  if (tries > mostTries) return { kind: "refuse", said: words.inVain };
  const listed = all.filter(({ task }) => about.candidates?.includes(task) ?? true);
  const said = {
    time: words.askTime,
    zone: words.askZone,
    text: words.askText,
    which: words.which(listOf(listed, now)),
  }[missing];
  // A reminder that waits for its caller would not come: whoever has one says it whole.
  if (own !== undefined) return { kind: "say", said };
  return { kind: "ask", said, asking: { ...about, v: 1, kind: "asking", missing, language, tries } };
}

function answered(text: string, asking: Asking, scene: Scene): Decision {
  const { language: of } = scene;
  switch (asking.missing) {
    case "zone": {
      const zone = zoneIn(text)?.zone;
      return zone === undefined
        ? ask("zone", asking, scene)
        : resume(asking.request, { ...asking, zone, tries: 0 }, scene);
    }
    case "text": {
      const said = trimmed(text, of);
      return said === "" ? ask("text", asking, scene) : resume(asking.request, { ...asking, text: said }, scene);
    }
    case "time": {
      const joint = { en: "at", de: "um", es: "a las" }[of];
      const said = /^\d{1,2}([:.]\d\d)?( uhr|\s?[ap]m)?$/i.test(text.trim()) ? `${joint} ${text.trim()}` : text.trim();
      const when = readWhen(asking.request, of, scene.now, asking.zone ?? scene.zone);
      const known = asking.text ?? (when.rest === "" ? undefined : when.rest);
      const request = `${asking.request}, ${said}`;
      const again = readWhen(request, of, scene.now, asking.zone ?? scene.zone);
      if (again.missing === "time") return ask("time", asking, scene);
      return resume(request, { ...asking, ...(known === undefined ? {} : { text: known }) }, scene);
    }
    case "which": {
      const at = Number(/\d+/.exec(text)?.[0]) - 1;
      const tasks = asking.candidates ?? [];
      const few = scene.all.filter(({ task }) => tasks.includes(task));
      const found = tasks[at] === undefined ? matching(text, few) : few.filter(({ task }) => task === tasks[at]);
      const [only, more] = found;
      if (only === undefined || more !== undefined) return ask("which", asking, scene);
      return intentOf(asking.request, of) === "change" ? changed(only, asking.request, scene) : canceled([only], scene);
    }
  }
}

/** The whole request, with what was answered. */
function resume(request: string, known: Known, scene: Scene): Decision {
  if (intentOf(request, scene.language) === "change") return change(request, scene);
  return begin(request, known, scene);
}

function cancel(text: string, scene: Scene): Decision {
  const { all, own, language: of } = scene;
  if (all.length === 0) return { kind: "say", said: wordsIn[of].none };
  if (alls[of].test(text)) return severalCanceled(text, scene);
  const found = meant(text, text, scene);
  if (found.length === 1 || own !== undefined) return canceled(found.slice(0, 1), scene);
  return which(found, text, scene);
}

/** "all", "all tea reminders", "all but the tea reminder": never one more than the words say. */
function severalCanceled(text: string, scene: Scene): Decision {
  const { all, language: of } = scene;
  const [wanted = "", ...rest] = text.replace(alls[of], " ").split(excepts[of]);
  const named = tokensOf(wanted).length === 0 ? all : matching(wanted, all);
  const spared = matching(rest.join(" "), named);
  if (named.length === 0 || (rest.length > 0 && spared.length === 0)) return which(named, text, scene);
  const found = named.filter((one) => !spared.includes(one));
  return found.length === 0 ? which(all, text, scene) : canceled(found, scene);
}

function canceled(of: readonly Standing[], { language }: Scene): Decision {
  const texts = of.map(({ reminder }) => reminder.text).join("; ");
  return { kind: "cancel", tasks: of.map(({ task }) => task), said: wordsIn[language].canceled(texts) };
}

function change(text: string, scene: Scene): Decision {
  const { all, language: of, now } = scene;
  if (all.length === 0) return { kind: "say", said: wordsIn[of].none };
  const { rest } = readWhen(text, of, now, scene.zone ?? "UTC");
  const found = meant(text, rest, scene);
  const [only] = found;
  return found.length === 1 && only !== undefined ? changed(only, text, scene) : which(found, text, scene);
}

function which(found: readonly Standing[], request: string, scene: Scene): Decision {
  const { all, language, now } = scene;
  if (found.length === 0) return { kind: "say", said: wordsIn[language].notFound(listOf(all, now)) };
  return ask("which", { request, candidates: found.map(({ task }) => task) }, scene);
}

function changed(of: Standing, request: string, scene: Scene): Decision {
  const zone = of.reminder.zone ?? scene.zone;
  const when = readWhen(request, scene.language, scene.now, zone);
  if (when.missing !== undefined) return ask(when.missing, { request }, scene);
  return moved(of, when, scene);
}

/** Where it repeats, another time of day leaves the days as they are. */
function moved({ task, reminder: before }: Standing, when: When, { now }: Scene): Decision {
  const { text, language } = before;
  const kept = when.repeats === undefined && when.time !== undefined ? movedTo(before.schedule, when.time) : undefined;
  const schedule = kept ?? when.schedule ?? before.schedule;
  const repeats = kept === undefined ? when.repeats : before.repeats;
  const zone = when.zone ?? before.zone;
  const reminder = {
    text,
    language,
    schedule,
    ...(repeats === undefined ? {} : { repeats }),
    ...(zone === undefined ? {} : { zone }),
  };
  return { kind: "change", task, reminder, said: wordsIn[language].moved(whenOf(reminder, now), text, repeats) };
}

/** Which reminders the words may mean: one by its number or its text, all where nothing says which. */
function meant(text: string, about: string, { own, all }: Scene): readonly Standing[] {
  const number =
    /(?:number|no\.?|nummer|nr\.?|número|reminder|erinnerung|recordatorio) #?(\d{1,3})(?!\s*[:.\d]|\s*(?:am|pm|uhr))\b/iu.exec(
      text,
    )?.[1];
  const numbered = number === undefined ? undefined : all[Number(number) - 1];
  if (numbered !== undefined) return [numbered];
  if (tokensOf(about).length > 0) {
    const found = matching(about, all);
    return found.length === 0 && own !== undefined ? [own] : found;
  }
  return own === undefined ? all : [own];
}

function matching(text: string, all: readonly Standing[]): readonly Standing[] {
  const asked = tokensOf(text);
  const scored = all.map((one) => {
    const own = tokensOf(one.reminder.text);
    return { one, score: asked.filter((token) => own.some((other) => isLike(token, other))).length };
  });
  const best = Math.max(0, ...scored.map(({ score }) => score));
  return best === 0 ? [] : scored.flatMap(({ one, score }) => (score === best ? [one] : []));
}

function tokensOf(text: string): readonly string[] {
  const plain = text.normalize("NFC").toLowerCase();
  const found = plain.match(/[\p{L}\d]+/gu) ?? [];
  return found.filter((token) => !fillers.has(token) && !fillers.has(token.normalize("NFD").replace(/\p{M}/gu, "")));
}

/** The same word, or one that goes on where the other ends: "plant" and "plants". */
function isLike(a: string, b: string): boolean {
  return a === b || (Math.min(a.length, b.length) >= 3 && (a.startsWith(b) || b.startsWith(a)));
}
