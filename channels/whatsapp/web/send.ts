/** One part to the page that WhatsApp Web is. */
import type { Client, MessageSendOptions } from "whatsapp-web.js";
import type { ChannelDeps, MediaFetch, Outgoing, SendContext, Sent } from "../../../src/channel.ts";
import { untilAborted } from "../../../src/abort.ts";
import { InfrastructureError, RetryableError, TerminalError } from "../../../src/errors.ts";
import { partsOf, type MessageId } from "../../../src/ids.ts";
import type { MediaPart } from "../../../src/message.ts";

/** Until another browser is there: the wait is no failure of the message's. */
const notReadyMs = 3_000;

/** @throws InfrastructureError where no browser is ready. */
export type Ready = () => Client;

export function notReady(): InfrastructureError {
  return new InfrastructureError("whatsapp web: is not ready", { retryAfterMs: notReadyMs });
}

export function createWebSender({ blobs }: ChannelDeps, ready: Ready) {
  return async function send(part: Outgoing, { to, signal, replyTo, first }: SendContext): Promise<Sent> {
    signal.throwIfAborted();
    const client = ready();
    const quoted = first && replyTo !== undefined ? quotedId(replyTo, to.chat) : undefined;
    const options: MessageSendOptions = {
      waitUntilMsgSent: true,
      ...(quoted === undefined ? {} : { quotedMessageId: quoted }),
    };
    const sent = await untilAborted(say(client, to.chat, part, options), signal);
    if (sent === null || sent === undefined) throw new TerminalError("whatsapp web send: there is no such chat");
    return { id: sent.id._serialized };
  };

  async function say(client: Client, chat: string, part: Outgoing, options: MessageSendOptions) {
    const { Location, MessageMedia } = (await import("whatsapp-web.js")).default;
    if (part.kind === "text") return page("send", client.sendMessage(chat, part.text, options));
    if (part.kind === "location") {
      const { latitude, longitude, name } = part;
      const place = new Location(latitude, longitude, name === undefined ? {} : { name });
      return page("send", client.sendMessage(chat, place, options));
    }
    const { data, type, name } = await bytesOf(part.media);
    const medium = new MessageMedia(type, data, name);
    const { kind } = part.media;
    // Under a sound or a sticker WhatsApp shows no words: they are a message of their own.
    const bare = kind === "audio" || kind === "voice" || kind === "sticker";
    const more: MessageSendOptions = {
      ...(part.caption === undefined || bare ? {} : { caption: part.caption }),
      ...(kind === "file" ? { sendMediaAsDocument: true } : {}),
      ...(kind === "voice" ? { sendAudioAsVoice: true } : {}),
      ...(kind === "sticker" ? { sendMediaAsSticker: true } : {}),
    };
    const sent = await page("send", client.sendMessage(chat, medium, { ...options, ...more }));
    if (bare && part.caption !== undefined)
      await page("send", client.sendMessage(chat, part.caption, { waitUntilMsgSent: true }));
    return sent;
  }

  async function bytesOf({ source, type, name }: MediaPart) {
    if (source.from !== "blob") throw new TerminalError("whatsapp web send: the medium is not in the store");
    const blob = await blobs.get(source.id);
    if (blob === undefined) throw new TerminalError("whatsapp web send: the medium is no longer in the store");
    const bytes = Buffer.from(await new Response(blob.body).arrayBuffer());
    return {
      data: bytes.toString("base64"),
      type,
      name: name ?? blob.name ?? `file.${/^\w+\/(\w+)/.exec(type)?.[1] ?? "bin"}`,
    };
  }
}

/** What fails in the page names nothing that is known here: it is tried again. Its words may hold the message's. */
export async function page<Result>(operation: string, work: Promise<Result>): Promise<Result> {
  try {
    return await work;
  } catch (error) {
    const name = error instanceof Error ? error.name : "a refusal";
    throw new RetryableError(`whatsapp web ${operation}: the page failed (${name})`);
  }
}

/** As the page names a message of another; in groups it also names who wrote it, which is not known here. */
function quotedId(id: string, chat: string): string | undefined {
  const [where, stanza, ...more] = partsOf(id as MessageId) ?? [];
  if (where !== chat || stanza === undefined || more.length > 0 || chat.endsWith("@g.us")) return undefined;
  return `false_${chat}_${stanza}`;
}

/** Whether it is the number's own, the chat, the message and, in groups, its author. */
const messageRef = /^(?:true|false)_[^_]+_[^_]+(?:_[^_]+)?$/;

/** @param ref the page's own id of the message. */
export async function fetchWebMedia(
  ready: Ready,
  most: number,
  ref: string,
  signal: AbortSignal,
): ReturnType<MediaFetch["fetchMedia"]> {
  // The library throws at anything else, each time.
  if (!messageRef.test(ref)) throw new TerminalError("whatsapp web media: this is no message's id");
  const client = ready();
  const message = await untilAborted(page("media", client.getMessageById(ref)), signal);
  const medium = await untilAborted(page("media", message?.downloadMedia() ?? Promise.resolve(undefined)), signal);
  if (medium === undefined) throw new TerminalError("whatsapp web media: WhatsApp no longer has it");
  const bytes = Buffer.from(medium.data, "base64");
  if (bytes.length > most) throw new TerminalError(`whatsapp web media: the file has more than ${most} bytes`);
  return {
    body: new Blob([bytes]).stream(),
    type: medium.mimetype.split(";")[0] ?? medium.mimetype,
    size: bytes.length,
  };
}
