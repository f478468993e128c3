/**
 * The gateway's own commands: the one list from which /help, the platforms' menus and the page's palette are made. A command that
 * stands here appears in all of them.
 */
import type { NoticeKey } from "./message.ts";

export const languages = ["en", "de", "es"] as const;
export type Language = (typeof languages)[number];
type Wording = Readonly<Record<Language, string>>;

export interface Command {
  /** Small letters, as it is typed behind the slash. */
  readonly name: string;
  /** At most 100 characters, as Discord takes them. */
  readonly words: Wording;
  /** What may follow it; where `only` is there, nothing else. */
  readonly argument?: { readonly name: string; readonly words: Wording; readonly only?: readonly string[] };
  /** Answered by this sentence alone; what has none is served by a turn of its own (`services.ts`). */
  readonly notice?: NoticeKey;
  /** Not offered: it is what a platform sends when a chat is begun. */
  readonly hidden?: true;
}

/** Asks for a person of the operator's. */
export const personCommand = "person";

export const commands: readonly Command[] = [
  {
    name: "start",
    words: { en: "begin the conversation", de: "das Gespräch beginnen", es: "empezar la conversación" },
    notice: "start",
    hidden: true,
  },
  {
    name: "stop",
    words: {
      en: "stop what I am working on",
      de: "abbrechen, woran ich gerade arbeite",
      es: "parar lo que estoy haciendo",
    },
    notice: "stopped",
  },
  {
    name: "reset",
    words: {
      en: "forget this conversation and begin anew",
      de: "dieses Gespräch vergessen und neu anfangen",
      es: "olvidar esta conversación y empezar de nuevo",
    },
    notice: "reset",
  },
  {
    name: personCommand,
    words: {
      en: "talk to a person instead of me",
      de: "mit einem Menschen statt mit mir sprechen",
      es: "hablar con una persona en vez de conmigo",
    },
  },
  {
    name: "link",
    words: {
      en: "talk to me here and on another channel as one person",
      de: "hier und auf einem anderen Kanal als eine Person mit mir sprechen",
      es: "hablar conmigo aquí y en otro canal como una sola persona",
    },
    argument: {
      name: "code",
      words: {
        en: "The code from the other channel",
        de: "Der Code vom anderen Kanal",
        es: "El código del otro canal",
      },
    },
  },
  {
    name: "unlink",
    words: {
      en: "let the channels be apart again",
      de: "die Kanäle wieder trennen",
      es: "separar de nuevo los canales",
    },
  },
  {
    name: "export",
    words: {
      en: "a file of what I remember of you",
      de: "eine Datei mit dem, was ich von dir weiß",
      es: "un archivo con lo que recuerdo de ti",
    },
  },
  {
    name: "usage",
    words: {
      en: "show how much you have used today",
      de: "zeigen, wie viel du heute verbraucht hast",
      es: "mostrar cuánto has gastado hoy",
    },
  },
  {
    name: "forget",
    words: {
      en: "erase what you said and what I remember of you",
      de: "löschen, was du gesagt hast und was ich von dir weiß",
      es: "borrar lo que has dicho y lo que recuerdo de ti",
    },
    argument: {
      name: "sure",
      words: { en: "Once I have asked", de: "Sobald ich gefragt habe", es: "Cuando te lo pregunte" },
      only: ["yes"],
    },
  },
  {
    name: "help",
    words: { en: "show what I understand", de: "zeigen, was ich verstehe", es: "mostrar lo que entiendo" },
    notice: "help",
  },
];

/** What people are offered. */
export const offered = commands.filter(({ hidden }) => hidden !== true);

/** @param locale a BCP 47 tag; English where none of ours is meant. */
export function languageOf(locale: string | undefined): Language {
  const tag = locale?.toLowerCase().split(/[-_]/)[0];
  return languages.find((language) => language === tag) ?? "en";
}
