/** The gateway's own sentences. */
import i18next from "i18next";
import { languageOf, offered, type Language } from "./commands.ts";
import type { NoticeKey, NoticeValues } from "./message.ts";

type Sentences = Readonly<Record<NoticeKey, string>>;

function help(first: string, language: Language): string {
  return [first, "", ...offered.map(({ name, words }) => `/${name} – ${words[language]}`)].join("\n");
}

const en: Sentences = {
  start: "Hello! Write me a message and I will answer here. /help shows what I understand.",
  help: help("Just write, and I answer.", "en"),
  reset: "Done: I have forgotten our conversation; what I noted stays in /memory. What would you like to talk about?",
  stopped: "Stopped.",
  failed: "Sorry, I could not answer that: something went wrong on my side. Please try again in a moment.",
  timeout: "Sorry, that took too long and I had to give up. Please try again, perhaps with a smaller question.",
  overloaded: "Sorry, too many are asking me at once, and your turn would come too late. Please try again in a while.",
  budgetDay: "That is all for today: what may be used here in a day is used up. Please write to me again tomorrow.",
  budgetMonth:
    "That is all for this month: what may be used here in a month is used up. Please write to me again next month.",
  usageList: "This is what you use here.",
  usageNone: "What you use is not counted here.",
  inLine: "Many are asking at once: you are in line, about {{minutes}} min.",
  linkCode: "Send this to me on the other channel within 10 minutes. Show it to nobody: whoever sends it reads along.",
  linkUnknown:
    "That is not a code I know. Codes are good once, for 10 minutes: ask for one with /link on the other channel.",
  linkLimited: "That were too many codes. Please wait 10 minutes.",
  linkRefused: "The two could not be linked just now. Please ask for a new code.",
  linkTaken: "Another channel is linked with this one already. Send /unlink first, then try again.",
  linked:
    "Linked: from now on I know you here and there as one person. If you were given that code by somebody else, send /unlink.",
  linkedHere: "Another channel is linked with this one now. If that was not you, send /unlink.",
  unlinked: "Unlinked: from now on the channels are apart again.",
  notLinked: "No other channel is linked with this one.",
  busy: "I am still busy with something else of yours. Please try again in a moment.",
  memoryList:
    "These are my notes. `/memory delete 2` deletes the one with that number, `/memory clear` all of them; with `/memory off` I take no more.",
  memoryUnused:
    "I take no notes and do not use these, which are from before. `/memory clear` deletes them, `/memory on` lets me use them again.",
  memoryNone: "I have noted nothing so far. With `/memory off` I never will.",
  memoryHelp: "I understand `/memory`, `/memory delete 2`, `/memory clear`, `/memory off` and `/memory on`.",
  memoryDeleted: "Done: note {{n}} is deleted.",
  memoryUnknown: "There is no note {{n}}. `/memory` shows which there are.",
  memoryCleared: "Done: all my notes are deleted.",
  memoryOff: "I take no notes, and use none. `/memory on` changes that.",
  memoryOn: "I take notes again of what is worth remembering. `/memory` shows them.",
  exported: "This is what I remember of you.",
  forgetAsk:
    "This erases what you said here and on linked channels, what I remember of you, and the links. To do it, send `/forget yes` within 10 minutes.",
  forgotten: "Done: I have erased what you said and what I remembered of you.",
  directOnly: "That works in a direct chat only.",
  unsaid:
    "I wanted to write to you about something, but it went wrong on my side. Ask me about it, and I will try again.",
  undelivered: "Sorry, one of my answers could not be delivered here.",
  unpaired:
    "I do not know you yet. Give the code {{code}} to whoever runs this service; it is good for an hour. " +
    "What you write before you are let in is not answered.",
  paired: "You are let in. Write me a message and I will answer here.",
  tooMany: "That is more than I can take at once: your last message was left out. Please wait {{seconds}} seconds.",
  refused: "This message is not taken here.",
  approvalWanted: "May I do this?",
  approve: "Approve",
  deny: "Deny",
  approvalByOperator: "Somebody who runs this service has to allow this first. I will come back to you:",
  approvalExpired: "Nobody decided in time, so I did not do it.",
  personAsked:
    "I have asked for a person. What you write now waits for them, and I am silent. If nobody comes within " +
    "{{minutes}} min, I answer it myself. /stop takes it back.",
  noPerson: "There is no person here who could take over. I go on as well as I can.",
  personHere: "A person answers you from here on, and I am silent until they leave it to me again.",
  personGone: "The person has left: from here on it is me again, the assistant. I know what you talked about.",
  nobodyCame: "Sorry, no person could come in time. It is me again, the assistant.",
  toolAsks: "**{{from}}** asks:",
  agentsHere:
    "You can talk to these here; the one that answers now is marked. /agent and a name switches, /agent default goes back.",
  agentPicked: "**{{agent}}** answers here from now on.",
  agentUnknown: "I do not know that one. You can talk to these here:",
  agentNamed: "Whoever writes from here names the agent with each message: name another one there.",
  agentGone: "The agent that asked this is not here any more, so nothing was done. Please ask again.",
  ratherNot: "I'd rather not say",
  missionAnswered: "Thank you, I go on with that.",
  missionOver: "That is not asked any more.",
  yes: "Yes",
  no: "No",
  withheld: "I may not answer that here.",
  reviewWanted: "Somebody who runs this service looks at this first. I will come back to you.",
};

const de: Sentences = {
  start: "Hallo! Schreib mir, und ich antworte hier. /help zeigt, was ich verstehe.",
  help: help("Schreib einfach, und ich antworte.", "de"),
  reset:
    "Erledigt: Ich habe unser Gespräch vergessen; was ich notiert habe, bleibt in /memory. Worüber möchtest du sprechen?",
  stopped: "Abgebrochen.",
  failed:
    "Das konnte ich leider nicht beantworten: Bei mir ist etwas schiefgegangen. Bitte versuch es gleich noch einmal.",
  timeout:
    "Das hat leider zu lange gedauert, ich musste aufgeben. Bitte versuch es noch einmal, vielleicht mit einer kleineren Frage.",
  overloaded:
    "Gerade fragen mich zu viele auf einmal, und du kämst leider zu spät an die Reihe. Bitte versuch es später noch einmal.",
  budgetDay:
    "Für heute ist es genug: Was hier an einem Tag verbraucht werden darf, ist verbraucht. Bitte schreib mir morgen wieder.",
  budgetMonth:
    "Für diesen Monat ist es genug: Was hier in einem Monat verbraucht werden darf, ist verbraucht. Bitte schreib mir nächsten Monat wieder.",
  usageList: "Das verbrauchst du hier.",
  usageNone: "Was du verbrauchst, wird hier nicht gezählt.",
  inLine: "Gerade fragen viele auf einmal: Du bist in der Reihe, etwa {{minutes}} min.",
  linkCode:
    "Schick mir das innerhalb von 10 Minuten auf dem anderen Kanal. Zeig es niemandem: Wer es schickt, liest mit.",
  linkUnknown:
    "Diesen Code kenne ich nicht. Codes gelten einmal und 10 Minuten lang: Hol dir einen mit /link auf dem anderen Kanal.",
  linkLimited: "Das waren zu viele Codes. Bitte warte 10 Minuten.",
  linkRefused: "Die beiden konnten gerade nicht verbunden werden. Bitte hol dir einen neuen Code.",
  linkTaken: "Mit diesem Kanal ist schon ein anderer verbunden. Schick zuerst /unlink und versuch es dann noch einmal.",
  linked: "Verbunden: Ab jetzt kenne ich dich hier und dort als eine Person.",
  linkedHere: "Ein anderer Kanal ist jetzt mit diesem verbunden. Wenn du das nicht warst, schick /unlink.",
  unlinked: "Getrennt: Ab jetzt stehen die Kanäle wieder für sich.",
  notLinked: "Mit diesem Kanal ist kein anderer verbunden.",
  busy: "Ich bin noch mit etwas anderem von dir beschäftigt. Bitte versuch es gleich noch einmal.",
  memoryList:
    "Das sind meine Notizen. `/memory delete 2` löscht die mit dieser Nummer, `/memory clear` alle; mit `/memory off` mache ich keine mehr.",
  memoryUnused:
    "Ich mache keine Notizen und nutze diese nicht; sie sind von früher. `/memory clear` löscht sie, mit `/memory on` nutze ich sie wieder.",
  memoryNone: "Ich habe mir bisher nichts notiert. Mit `/memory off` bleibt es dabei.",
  memoryHelp: "Ich verstehe `/memory`, `/memory delete 2`, `/memory clear`, `/memory off` und `/memory on`.",
  memoryDeleted: "Erledigt: Notiz {{n}} ist gelöscht.",
  memoryUnknown: "Eine Notiz {{n}} gibt es nicht. `/memory` zeigt, welche es gibt.",
  memoryCleared: "Erledigt: Alle meine Notizen sind gelöscht.",
  memoryOff: "Ich mache keine Notizen und nutze keine. `/memory on` ändert das.",
  memoryOn: "Ich notiere mir wieder, was wichtig bleibt. `/memory` zeigt es.",
  exported: "Das ist, was ich von dir weiß.",
  forgetAsk:
    "Das löscht, was du hier und auf verbundenen Kanälen gesagt hast, was ich von dir weiß, und die Verbindungen. Wenn du das willst, schick innerhalb von 10 Minuten `/forget yes`.",
  forgotten: "Erledigt: Ich habe gelöscht, was du gesagt hast und was ich von dir wusste.",
  directOnly: "Das geht nur in einem direkten Chat.",
  unsaid:
    "Ich wollte dir etwas schreiben, aber bei mir ist etwas schiefgegangen. Frag mich danach, dann versuche ich es noch einmal.",
  undelivered: "Leider konnte eine meiner Antworten hier nicht zugestellt werden.",
  unpaired:
    "Ich kenne dich noch nicht. Gib den Code {{code}} weiter an die Person, die diesen Dienst betreibt; er gilt eine Stunde. " +
    "Was du vor der Freigabe schreibst, wird nicht beantwortet.",
  paired: "Du bist freigegeben. Schreib mir, und ich antworte hier.",
  tooMany:
    "Das ist mehr, als ich auf einmal annehmen kann: Deine letzte Nachricht blieb liegen. Bitte warte {{seconds}} Sekunden.",
  refused: "Diese Nachricht wird hier nicht angenommen.",
  approvalWanted: "Darf ich das tun?",
  approve: "Ja, tun",
  deny: "Nein",
  approvalByOperator: "Das muss erst jemand erlauben, der diesen Dienst betreibt. Ich melde mich wieder:",
  approvalExpired: "Niemand hat rechtzeitig entschieden, also habe ich es nicht getan.",
  personAsked:
    "Ich habe einen Menschen dazugebeten. Was du jetzt schreibst, wartet auf ihn, und ich bin still. Wenn innerhalb von " +
    "{{minutes}} Min. niemand kommt, antworte ich selbst. /stop nimmt es zurück.",
  noPerson: "Hier ist kein Mensch, der übernehmen könnte. Ich mache weiter, so gut ich kann.",
  personHere: "Ab hier antwortet dir ein Mensch, und ich bin still, bis er wieder an mich abgibt.",
  personGone:
    "Der Mensch ist gegangen: Ab hier bin wieder ich es, der Assistent. Ich weiß, worüber ihr gesprochen habt.",
  nobodyCame: "Leider konnte kein Mensch rechtzeitig kommen. Hier bin wieder ich, der Assistent.",
  toolAsks: "**{{from}}** fragt:",
  agentsHere:
    "Mit diesen kannst du hier sprechen; wer gerade antwortet, ist markiert. /agent und ein Name wechselt, /agent default geht zurück.",
  agentPicked: "Ab jetzt antwortet hier **{{agent}}**.",
  agentUnknown: "Den kenne ich nicht. Mit diesen kannst du hier sprechen:",
  agentNamed: "Wer von hier schreibt, nennt den Agenten mit jeder Nachricht: Nenne dort einen anderen.",
  agentGone:
    "Den Agenten, der danach gefragt hat, gibt es hier nicht mehr, also wurde nichts getan. Bitte frag noch einmal.",
  ratherNot: "Lieber nicht",
  missionAnswered: "Danke, damit mache ich weiter.",
  missionOver: "Das ist nicht mehr gefragt.",
  yes: "Ja",
  no: "Nein",
  withheld: "Darauf darf ich hier nicht antworten.",
  reviewWanted: "Das sieht sich erst jemand an, der diesen Dienst betreibt. Ich melde mich wieder.",
};

const es: Sentences = {
  start: "¡Hola! Escríbeme y te respondo aquí. /help muestra lo que entiendo.",
  help: help("Solo escribe y te respondo.", "es"),
  reset: "Listo: he olvidado nuestra conversación; lo que anoté sigue en /memory. ¿De qué quieres hablar?",
  stopped: "Parado.",
  failed: "Lo siento, no he podido responder: algo ha fallado por mi parte. Inténtalo de nuevo en un momento.",
  timeout: "Lo siento, ha tardado demasiado y lo he dejado. Inténtalo de nuevo, quizá con una pregunta más pequeña.",
  overloaded:
    "Lo siento: demasiados me preguntan a la vez y tu turno llegaría demasiado tarde. Vuelve a intentarlo más tarde.",
  budgetDay: "Por hoy es todo: lo que se puede gastar aquí en un día está gastado. Escríbeme de nuevo mañana.",
  budgetMonth:
    "Por este mes es todo: lo que se puede gastar aquí en un mes está gastado. Escríbeme de nuevo el mes que viene.",
  usageList: "Esto es lo que gastas aquí.",
  usageNone: "Lo que gastas no se cuenta aquí.",
  inLine: "Muchos preguntan a la vez: estás en la cola, unos {{minutes}} min.",
  linkCode:
    "Envíame esto en el otro canal en menos de 10 minutos. No se lo enseñes a nadie: quien lo envía, lee contigo.",
  linkUnknown: "No conozco ese código. Cada código vale una vez y 10 minutos: pide uno con /link en el otro canal.",
  linkLimited: "Han sido demasiados códigos. Espera 10 minutos.",
  linkRefused: "Ahora no se han podido unir. Pide un código nuevo.",
  linkTaken: "Este canal ya está unido con otro. Envía primero /unlink e inténtalo de nuevo.",
  linked: "Unidos: desde ahora te conozco aquí y allí como una sola persona.",
  linkedHere: "Otro canal está ahora unido con este. Si no has sido tú, envía /unlink.",
  unlinked: "Separados: desde ahora cada canal va por su cuenta.",
  notLinked: "Ningún otro canal está unido con este.",
  busy: "Todavía estoy con otra cosa tuya. Inténtalo de nuevo en un momento.",
  memoryList:
    "Estas son mis notas. `/memory delete 2` borra la de ese número, `/memory clear` todas; con `/memory off` no tomo más.",
  memoryUnused:
    "No tomo notas ni uso estas, que son de antes. `/memory clear` las borra; con `/memory on` las uso de nuevo.",
  memoryNone: "Hasta ahora no he anotado nada. Con `/memory off` seguirá así.",
  memoryHelp: "Entiendo `/memory`, `/memory delete 2`, `/memory clear`, `/memory off` y `/memory on`.",
  memoryDeleted: "Listo: la nota {{n}} está borrada.",
  memoryUnknown: "No hay ninguna nota {{n}}. `/memory` muestra cuáles hay.",
  memoryCleared: "Listo: todas mis notas están borradas.",
  memoryOff: "No tomo notas ni uso ninguna. `/memory on` lo cambia.",
  memoryOn: "Vuelvo a anotar lo que importa. `/memory` lo muestra.",
  exported: "Esto es lo que recuerdo de ti.",
  forgetAsk:
    "Esto borra lo que has dicho aquí y en los canales unidos, lo que recuerdo de ti y las uniones. Si lo quieres, envía `/forget yes` en menos de 10 minutos.",
  forgotten: "Listo: he borrado lo que dijiste y lo que recordaba de ti.",
  directOnly: "Eso solo funciona en un chat directo.",
  unsaid: "Quería escribirte algo, pero ha fallado por mi parte. Pregúntame por ello y lo intento de nuevo.",
  undelivered: "Lo siento, una de mis respuestas no se ha podido entregar aquí.",
  unpaired:
    "Todavía no te conozco. Da el código {{code}} a quien gestiona este servicio; vale una hora. " +
    "Lo que escribas antes de tener acceso no se responde.",
  paired: "Ya tienes acceso. Escríbeme y te respondo aquí.",
  tooMany:
    "Es más de lo que puedo aceptar de una vez: tu último mensaje se ha dejado fuera. Espera {{seconds}} segundos.",
  refused: "Este mensaje no se acepta aquí.",
  approvalWanted: "¿Puedo hacer esto?",
  approve: "Aprobar",
  deny: "Rechazar",
  approvalByOperator: "Antes tiene que permitirlo quien lleva este servicio. Te avisaré:",
  approvalExpired: "Nadie decidió a tiempo, así que no lo hice.",
  personAsked:
    "He pedido que venga una persona. Lo que escribas ahora la espera, y yo me callo. Si nadie viene en " +
    "{{minutes}} min, respondo yo. /stop lo retira.",
  noPerson: "Aquí no hay ninguna persona que pueda atenderte. Sigo yo lo mejor que puedo.",
  personHere: "Desde ahora te responde una persona, y yo me callo hasta que me devuelva la conversación.",
  personGone: "La persona se ha ido: desde ahora vuelvo a ser yo, el asistente. Sé de qué habéis hablado.",
  nobodyCame: "Lo siento, ninguna persona ha podido venir a tiempo. Vuelvo a ser yo, el asistente.",
  toolAsks: "**{{from}}** pregunta:",
  agentsHere:
    "Aquí puedes hablar con estos; quien responde ahora está marcado. /agent y un nombre cambia, /agent default vuelve atrás.",
  agentPicked: "Desde ahora responde aquí **{{agent}}**.",
  agentUnknown: "A ese no lo conozco. Aquí puedes hablar con estos:",
  agentNamed: "Quien escribe desde aquí nombra al agente en cada mensaje: nombra allí a otro.",
  agentGone: "El agente que lo preguntó ya no está aquí, así que no se ha hecho nada. Pregunta de nuevo.",
  ratherNot: "Prefiero no decirlo",
  missionAnswered: "Gracias, sigo con eso.",
  missionOver: "Eso ya no se pregunta.",
  yes: "Sí",
  no: "No",
  withheld: "Eso no lo puedo responder aquí.",
  reviewWanted: "Antes lo revisa quien lleva este servicio. Te avisaré.",
};

const sentences: Readonly<Record<Language, Sentences>> = { en, de, es };
const translations = i18next.createInstance({
  resources: Object.fromEntries(Object.entries(sentences).map(([name, translation]) => [name, { translation }])),
  fallbackLng: "en",
  initAsync: false,
  // The sentences are markdown, and what stands in them is the gateway's own.
  interpolation: { escapeValue: false },
});
void translations.init();

/** The sentence in the person's language where there is one, as markdown. `locale` is a BCP 47 tag, as the platform tells it. */
export function noticeText(key: NoticeKey, locale: string | undefined, values: NoticeValues = {}): string {
  return translations.t(key, { ...values, lng: languageOf(locale) });
}
