/** The gateway's own sentences. */
import type { NoticeKey } from "./message.ts";

const english: Readonly<Record<NoticeKey, string>> = {
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
};

/** The sentence in the person's language, as markdown. `_locale` is a BCP 47 tag; English is the only language so far. */
export function noticeText(key: NoticeKey, _locale: string | undefined): string {
  return english[key];
}
