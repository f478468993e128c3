import type { Language } from "./state.ts";

const signs: Readonly<Record<Exclude<Language, "en">, RegExp>> = {
  de: /erinner|wecke? mich|lösche|verschiebe|(?<!\p{L})(?:um \d+ uhr|täglich|jeden|morgen)(?!\p{L})/iu,
  es: /recu[eé]rd|recordat|av[ií]same|canc[eé]la|mu[eé]ve|(?<!\p{L})(?:mañana|a las \d|cada día)(?!\p{L})/iu,
};

export function languageOf(text: string, locale: string | undefined): Language {
  if (signs.de.test(text)) return "de";
  if (signs.es.test(text)) return "es";
  if (/remind|reminder/i.test(text)) return "en";
  const own = locale?.toLowerCase().slice(0, 2);
  return own === "de" || own === "es" ? own : "en";
}
