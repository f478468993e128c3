import { createHash } from "node:crypto";
import type { ChannelDeps, Outgoing, SendContext, Sent } from "../../src/channel.ts";
import { TerminalError } from "../../src/errors.ts";
import { partsOf, type MessageId } from "../../src/ids.ts";
import type { MediaPart } from "../../src/message.ts";
import type { Attachments } from "./attachments.ts";
import { type FromAgent, keyOfClient } from "./entry.ts";
import { dialect } from "./format.ts";
import type { Live } from "./live.ts";

type Content = Pick<FromAgent, "text" | "attachments" | "buttons">;

/** The page's id of what is sent under this key. */
export function idOfAnswer(key: string): string {
  return `a-${createHash("sha256").update(key).digest("base64url").slice(0, 27)}`;
}

/** Appending to the transcript is the sending: the page reads it there, now or when it comes back. */
export function createSend({ transcript }: ChannelDeps, attachments: Attachments, live: Live) {
  async function contentOf(part: Outgoing, session: string, id: string): Promise<Content> {
    if (part.kind === "location") {
      const { latitude, longitude, name = "Location" } = part;
      const url = `https://www.openstreetmap.org/?mlat=${latitude}&mlon=${longitude}#map=16/${latitude}/${longitude}`;
      return { text: link(name, url), attachments: [], buttons: [] };
    }
    const buttons = (part.buttons ?? [])
      .filter(({ url }) => url === undefined)
      .map(({ id: own, label }) => ({ id: own, label }));
    const links = (part.buttons ?? []).flatMap(({ label, url }) => (url === undefined ? [] : [link(label, url)]));
    if (part.kind === "text") return { text: [part.text, ...links].join("\n\n"), attachments: [], buttons };
    const { media, caption } = part;
    const text = (...more: string[]) => [caption ?? "", ...more, ...links].filter((line) => line !== "").join("\n\n");
    if (isBlob(media)) {
      const given = await attachments.give(session, id, media);
      if (given === undefined) throw new TerminalError("web send: the bytes of a medium are gone");
      return { text: text(), attachments: [given], buttons };
    }
    // The page loads nothing from elsewhere: what is elsewhere is a link.
    if (media.source.from === "url")
      return { text: text(link(media.name ?? media.source.url, media.source.url)), attachments: [], buttons };
    throw new TerminalError("web send: a medium of another platform cannot be shown");
  }

  return async function send(part: Outgoing, context: SendContext): Promise<Sent> {
    const { to, answers, notice, last, signal } = context;
    signal.throwIfAborted();
    const id = idOfAnswer(context.key);
    const content = await contentOf(part, to.chat, id);
    const entry: FromAgent = { v: 1, kind: "agent", ...content, answers: answers.flatMap(pageId), notice };
    await transcript.append(to.conversation, id, entry);
    live.answered(to.chat, last);
    return { id };
  };
}

const isBlob = (media: MediaPart): media is MediaPart & { source: { from: "blob" } } => media.source.from === "blob";
function link(label: string, url: string): string {
  const target = URL.parse(url);
  const safe = target !== null && ["http:", "https:", "mailto:"].includes(target.protocol);
  return safe ? `[${dialect.escape(label)}](<${target.href}>)` : dialect.escape(label);
}

/** The page's id of a message that is answered. */
function pageId(answered: string): string[] {
  const client = partsOf(answered as MessageId)?.[1];
  return client === undefined ? [] : [keyOfClient(client)];
}
