/** The gateway's own sentences. */
import i18next from "i18next";
import type { NoticeKey, NoticeValues } from "./message.ts";

type Sentences = Readonly<Record<NoticeKey, string>>;

const en: Sentences = {
  start: "Hello! Write me a message and I will answer here. /help shows what I understand.",
  help: [
    "Just write, and I answer.",
    "",
    "/stop – stop what I am working on",
    "/reset – forget this conversation and begin anew",
    "/help – show this",
  ].join("\n"),
  reset: "Done: I have forgotten our conversation. What would you like to talk about?",
  stopped: "Stopped.",
  failed: "Sorry, I could not answer that: something went wrong on my side. Please try again in a moment.",
  timeout: "Sorry, that took too long and I had to give up. Please try again, perhaps with a smaller question.",
  undelivered: "Sorry, one of my answers could not be delivered here.",
  unpaired:
    "I do not know you yet. Give the code {{code}} to whoever runs this service; it is good for an hour. " +
    "What you write before you are let in is not answered.",
  paired: "You are let in. Write me a message and I will answer here.",
  tooMany: "That is more than I can take at once: your last message was left out. Please wait {{seconds}} seconds.",
  refused: "This message is not taken here.",
};

const de: Sentences = {
  start: "Hallo! Schreib mir, und ich antworte hier. /help zeigt, was ich verstehe.",
  help: [
    "Schreib einfach, und ich antworte.",
    "",
    "/stop – abbrechen, woran ich gerade arbeite",
    "/reset – dieses Gespräch vergessen und neu anfangen",
    "/help – das hier zeigen",
  ].join("\n"),
  reset: "Erledigt: Ich habe unser Gespräch vergessen. Worüber möchtest du sprechen?",
  stopped: "Abgebrochen.",
  failed:
    "Das konnte ich leider nicht beantworten: Bei mir ist etwas schiefgegangen. Bitte versuch es gleich noch einmal.",
  timeout:
    "Das hat leider zu lange gedauert, ich musste aufgeben. Bitte versuch es noch einmal, vielleicht mit einer kleineren Frage.",
  undelivered: "Leider konnte eine meiner Antworten hier nicht zugestellt werden.",
  unpaired:
    "Ich kenne dich noch nicht. Gib den Code {{code}} weiter an die Person, die diesen Dienst betreibt; er gilt eine Stunde. " +
    "Was du vor der Freigabe schreibst, wird nicht beantwortet.",
  paired: "Du bist freigegeben. Schreib mir, und ich antworte hier.",
  tooMany:
    "Das ist mehr, als ich auf einmal annehmen kann: Deine letzte Nachricht blieb liegen. Bitte warte {{seconds}} Sekunden.",
  refused: "Diese Nachricht wird hier nicht angenommen.",
};

const es: Sentences = {
  start: "¡Hola! Escríbeme y te respondo aquí. /help muestra lo que entiendo.",
  help: [
    "Solo escribe y te respondo.",
    "",
    "/stop – parar lo que estoy haciendo",
    "/reset – olvidar esta conversación y empezar de nuevo",
    "/help – mostrar esto",
  ].join("\n"),
  reset: "Listo: he olvidado nuestra conversación. ¿De qué quieres hablar?",
  stopped: "Parado.",
  failed: "Lo siento, no he podido responder: algo ha fallado por mi parte. Inténtalo de nuevo en un momento.",
  timeout: "Lo siento, ha tardado demasiado y lo he dejado. Inténtalo de nuevo, quizá con una pregunta más pequeña.",
  undelivered: "Lo siento, una de mis respuestas no se ha podido entregar aquí.",
  unpaired:
    "Todavía no te conozco. Da el código {{code}} a quien gestiona este servicio; vale una hora. " +
    "Lo que escribas antes de tener acceso no se responde.",
  paired: "Ya tienes acceso. Escríbeme y te respondo aquí.",
  tooMany:
    "Es más de lo que puedo aceptar de una vez: tu último mensaje se ha dejado fuera. Espera {{seconds}} segundos.",
  refused: "Este mensaje no se acepta aquí.",
};

const languages = { en, de, es } as const;
const words = i18next.createInstance({
  resources: Object.fromEntries(Object.entries(languages).map(([name, translation]) => [name, { translation }])),
  fallbackLng: "en",
  initAsync: false,
  // The sentences are markdown, and what stands in them is the gateway's own.
  interpolation: { escapeValue: false },
});
void words.init();

/** The sentence in the person's language where there is one, as markdown. `locale` is a BCP 47 tag, as the platform tells it. */
export function noticeText(key: NoticeKey, locale: string | undefined, values: NoticeValues = {}): string {
  const language = locale?.toLowerCase().split(/[-_]/)[0] ?? "";
  return words.t(key, { ...values, lng: Object.hasOwn(languages, language) ? language : "en" });
}
