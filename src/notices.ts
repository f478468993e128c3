/** The gateway's own sentences. */
import type { NoticeKey } from "./message.ts";

const english: Readonly<Record<NoticeKey, string>> = {
  start: "Hello! Write me a message and I will answer here. /help shows what I understand.",
  help: [
    "Just write, and I answer.",
    "",
    "/stop – stop what I am working on",
    "/reset – forget this conversation and begin anew",
    "/link – talk to me here and on another channel as one person; /unlink ends it",
    "/export – a file of what I remember of you",
    "/forget – erase what you said and what I remember of you",
    "/help – show this",
  ].join("\n"),
  reset: "Done: I have forgotten our conversation. What would you like to talk about?",
  stopped: "Stopped.",
  failed: "Sorry, I could not answer that: something went wrong on my side. Please try again in a moment.",
  timeout: "Sorry, that took too long and I had to give up. Please try again, perhaps with a smaller question.",
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
  exported: "This is what I remember of you.",
  forgetAsk:
    "This erases what you said here and on linked channels, what I remember of you, and the links. To do it, send `/forget yes` within 10 minutes.",
  forgotten: "Done: I have erased what you said and what I remembered of you.",
  directOnly: "That works in a direct chat only.",
  undelivered: "Sorry, one of my answers could not be delivered here.",
};

/** The sentence in the person's language, as markdown. `_locale` is a BCP 47 tag; English is the only language so far. */
export function noticeText(key: NoticeKey, _locale: string | undefined): string {
  return english[key];
}
