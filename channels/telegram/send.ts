/** One part to one Bot API call, with the fallbacks that keep an answer from being lost to a refusal of its looks. */
import { Readable } from "node:stream";
import { InputFile, type Api } from "grammy/web";
import type { InlineKeyboardMarkup, ReplyParameters } from "grammy/types";
import type { Outgoing, SendContext, Sent } from "../../src/channel.ts";
import { TerminalError } from "../../src/errors.ts";
import { partsOf, type MessageId } from "../../src/ids.ts";
import type { Address, Button, MediaKind, MediaPart } from "../../src/message.ts";
import type { Blobs, Log } from "../../src/ports.ts";
import { asSignal, type TelegramApi } from "./api.ts";
import { areButtonsRefused, isMarkupRefused, isMediaRefused, mapError, movedTo } from "./errors.ts";
import { hasHtml, withoutMarkup } from "./format.ts";

/** In UTF-16 code units after entities parsing. */
export const maxText = 4096;
export const maxCaption = 1024;

/** What all send methods share. */
interface Options {
  parse_mode?: "HTML";
  message_thread_id?: number;
  reply_parameters?: ReplyParameters;
  reply_markup?: InlineKeyboardMarkup;
}

export interface SenderOptions {
  readonly api: TelegramApi;
  readonly blobs: Blobs;
  readonly log: Log;
  readonly token: string;
}

export function createSender({ api, blobs, log, token }: SenderOptions) {
  /** Groups that became supergroups while answers to them were under way. */
  const moved = new Map<string, number>();

  /** @param plain the words are not markup, though they may look like it. */
  async function send(part: Outgoing, context: SendContext, plain = false): Promise<Sent> {
    try {
      return await attempt(part, context, plain);
    } catch (error) {
      const chat = movedTo(error);
      if (chat !== undefined) {
        moved.set(context.to.chat, chat);
        return send(part, context, plain);
      }
      const plainer = fallback(part, error, plain);
      if (plainer === undefined) throw mapError(error, methodOf(part), token);
      log.warn(
        { operation: methodOf(part), conversation: context.to.conversation },
        "telegram refused a part: sent plainer",
      );
      return send(plainer.part, context, plainer.plain);
    }
  }

  async function attempt(part: Outgoing, context: SendContext, plain: boolean): Promise<Sent> {
    const chat = moved.get(context.to.chat) ?? chatId(context.to);
    const options = optionsOf(part, context, plain);
    const signal = asSignal(context.signal);
    if (part.kind === "text") {
      const { message_id: id } = await api.calls.raw.sendMessage(
        { chat_id: chat, text: part.text, ...options },
        signal,
      );
      return { id: String(id) };
    }
    if (part.kind === "location") {
      const { latitude, longitude, name } = part;
      const place = { chat_id: chat, latitude, longitude, ...options };
      const { message_id: id } =
        name === undefined || name === ""
          ? await api.calls.raw.sendLocation(place, signal)
          : await api.calls.raw.sendVenue({ ...place, title: name, address: `${latitude}, ${longitude}` }, signal);
      return { id: String(id) };
    }
    const { file, close } = await fileOf(part.media);
    const raw = (part.media.source.from === "blob" ? api.uploads : api.calls).raw;
    const common = { chat_id: chat, ...options, ...(part.caption === undefined ? {} : { caption: part.caption }) };
    try {
      const { message_id: id } = await senders[part.media.kind](raw, file, common, part.media, signal);
      return { id: String(id) };
    } finally {
      close();
    }
  }

  /** `close`: an upload that fails leaves the rest of the file unread, and so open. */
  async function fileOf({ source, name, type }: MediaPart): Promise<{ file: string | InputFile; close(): void }> {
    if (source.from === "platform") return { file: source.ref, close() {} };
    if (source.from === "url") return { file: source.url, close() {} };
    const blob = await blobs.get(source.id);
    if (blob === undefined) throw new TerminalError("telegram: the medium is no longer in the store");
    const filename = name ?? blob.name ?? `file.${/^\w+\/(\w+)/.exec(type)?.[1] ?? "bin"}`;
    const bytes = Readable.fromWeb(blob.body as Parameters<typeof Readable.fromWeb>[0]);
    return { file: new InputFile(bytes, filename), close: () => void bytes.destroy() };
  }

  return (part: Outgoing, context: SendContext): Promise<Sent> => send(part, context);
}

type Signal = ReturnType<typeof asSignal>;
type Common = Options & { chat_id: number | string; caption?: string };
type SendMedia = (
  raw: Api["raw"],
  file: string | InputFile,
  common: Common,
  media: MediaPart,
  signal: Signal,
) => Promise<{ message_id: number }>;

const length = ({ duration }: MediaPart) => (duration === undefined ? {} : { duration: Math.round(duration) });

/** @see https://core.telegram.org/bots/api#available-methods */
const senders: Readonly<Record<MediaKind, SendMedia>> = {
  image: (raw, photo, common, _media, signal) => raw.sendPhoto({ ...common, photo }, signal),
  video: (raw, video, common, media, signal) => raw.sendVideo({ ...common, video, ...length(media) }, signal),
  audio: (raw, audio, common, media, signal) => raw.sendAudio({ ...common, audio, ...length(media) }, signal),
  voice: (raw, voice, common, media, signal) => raw.sendVoice({ ...common, voice, ...length(media) }, signal),
  file: (raw, document, common, _media, signal) => raw.sendDocument({ ...common, document }, signal),
  sticker: (raw, sticker, { caption: _none, parse_mode: _mode, ...common }, _media, signal) =>
    raw.sendSticker({ ...common, sticker }, signal),
};

const methods: Readonly<Record<MediaKind, string>> = {
  image: "sendPhoto",
  video: "sendVideo",
  audio: "sendAudio",
  voice: "sendVoice",
  file: "sendDocument",
  sticker: "sendSticker",
};

function methodOf(part: Outgoing): string {
  if (part.kind === "media") return methods[part.media.kind];
  return part.kind === "text" ? "sendMessage" : "sendLocation";
}

/** A supported number stays exact; anything else (a channel's @name) goes as it is. */
export function chatId({ chat }: Address): number | string {
  return /^-?\d{1,16}$/.test(chat) ? Number(chat) : chat;
}

export function threadIn({ thread }: Address): { message_thread_id?: number } {
  return thread === undefined ? {} : { message_thread_id: Number(thread) };
}

function optionsOf(part: Outgoing, { to, replyTo, first }: SendContext, plain: boolean): Options {
  const options: Options = threadIn(to);
  const words = part.kind === "text" ? part.text : part.kind === "media" ? part.caption : undefined;
  if (words !== undefined && !plain && hasHtml(words)) options.parse_mode = "HTML";
  const reply = first && replyTo !== undefined ? repliedMessage(replyTo as MessageId, to.chat) : undefined;
  if (reply !== undefined) options.reply_parameters = { message_id: reply, allow_sending_without_reply: true };
  if (part.kind !== "location" && part.buttons !== undefined && part.buttons.length > 0) {
    options.reply_markup = { inline_keyboard: rows(part.buttons) };
  }
  return options;
}

/** The platform's number of a message of this chat; presses and messages of other chats cannot be replied to. */
function repliedMessage(id: MessageId, chat: string): number | undefined {
  const [where, name, ...more] = partsOf(id) ?? [];
  const number = where === chat && more.length === 0 ? /^m(\d+)$/.exec(name ?? "")?.[1] : undefined;
  return number === undefined ? undefined : Number(number);
}

/** Short labels share a row, two by two. */
function rows(buttons: readonly Button[]): InlineKeyboardMarkup["inline_keyboard"] {
  const keys = buttons.map(({ id, label, url }) =>
    url === undefined ? { text: label, callback_data: id } : { text: label, url },
  );
  const perRow = buttons.every(({ label }) => label.length <= 16) ? 2 : 1;
  return Array.from({ length: Math.ceil(keys.length / perRow) }, (_, row) =>
    keys.slice(row * perRow, (row + 1) * perRow),
  );
}

interface Fallback {
  readonly part: Outgoing;
  readonly plain: boolean;
}

/** The same part in a form that Telegram takes after this refusal; undefined where there is none. Each is tried once. */
function fallback(part: Outgoing, error: unknown, plain: boolean): Fallback | undefined {
  if (part.kind === "location") return undefined;
  const bare = (words: string) => (plain ? words : withoutMarkup(words));
  const words = bare((part.kind === "text" ? part.text : part.caption) ?? "");
  const withWords = (to: typeof part, text: string): Fallback => {
    return { part: to.kind === "text" ? { ...to, text } : { ...to, caption: text }, plain: true };
  };
  if (isMarkupRefused(error)) return plain ? undefined : withWords(part, words);
  if (areButtonsRefused(error) && part.buttons !== undefined) {
    const { buttons, ...rest } = part;
    const lines = buttons.map(({ label, url }, at) => `${at + 1}. ${label}${url === undefined ? "" : `: ${url}`}`);
    const list = lines.join("\n");
    const room = (part.kind === "text" ? maxText : maxCaption) - list.length - 2;
    return withWords(rest, room < 0 ? words : `${words.slice(0, room)}\n\n${list}`.trim());
  }
  if (part.kind !== "media" || !isMediaRefused(error)) return undefined;
  const { media, caption: _caption, ...rest } = part;
  if (media.kind !== "file") return { part: { ...part, media: { ...media, kind: "file" } }, plain };
  if (media.source.from !== "url") return undefined;
  const text = [words, media.name ?? media.alt ?? "", media.source.url].filter((line) => line !== "").join("\n");
  return { part: { ...rest, kind: "text", text }, plain: true };
}
