/** What a Discord message contains, as parts. Files are referred to by a `ref` that `fetchMedia` takes. */
import type { APIAttachment, APIMessage, APIMessageSnapshotFields, APIPoll, APIStickerItem, APIUser } from "discord.js";
import type { InboundPart, MediaKind } from "../../src/message.ts";

/** What is read of a message, wherever it comes from. */
export type Content = Pick<APIMessage, "content"> &
  Partial<
    Pick<APIMessage, "id" | "channel_id" | "attachments" | "flags" | "mentions" | "poll" | "sticker_items" | "embeds">
  > & { readonly message_snapshots?: readonly { readonly message: APIMessageSnapshotFields }[] };

/** The parts of a message; empty where nobody wrote anything. `text` is its words as {@link readable} gives them. */
export function partsOf(message: Content, text: string): InboundPart[] {
  const forwarded = message.message_snapshots?.map((snapshot) => snapshot.message) ?? [];
  const files = [message, ...forwarded].flatMap(({ attachments, flags }) =>
    (attachments ?? []).map((file) => attachment(file, refOf(message, file), isVoice(flags))),
  );
  const parts: InboundPart[] = [...files, ...(message.sticker_items ?? []).map(sticker)];
  const words = [text, ...forwarded.map((one) => readable(one.content, one.mentions ?? []))].filter(
    (one) => one !== "",
  );
  if (words.length > 0) parts.push({ kind: "text", text: words.join("\n"), format: "plain" });
  if (parts.length > 0 || message.poll === undefined) return parts;
  return [{ kind: "text", text: pollText(message.poll), format: "plain" }];
}

/** A file that stands in a message is found again by it: its own address ends after a day. */
function refOf({ channel_id: channel, id }: Content, file: APIAttachment): string {
  return channel === undefined || id === undefined ? `url:${file.url}` : `${channel}/${id}/${file.id}`;
}

/** A file that came with a command: it stands in no message. */
export function loosePart(file: APIAttachment): InboundPart {
  return attachment(file, `url:${file.url}`, false);
}

/** The message is a voice message: its only file is the recording. */
function isVoice(flags: number | undefined): boolean {
  return ((flags ?? 0) & (1 << 13)) !== 0;
}

function attachment(file: APIAttachment, ref: string, voice: boolean): InboundPart {
  const type = file.content_type?.replace(/;.*$/, "") ?? "application/octet-stream";
  const { width, height, duration_secs: duration, description } = file;
  return {
    kind: voice ? "voice" : kindOf(type),
    source: { from: "platform", ref },
    type,
    name: file.filename,
    size: file.size,
    ...(typeof width === "number" ? { width } : {}),
    ...(typeof height === "number" ? { height } : {}),
    ...(duration === undefined ? {} : { duration }),
    ...(description === undefined ? {} : { alt: description }),
  };
}

function kindOf(type: string): MediaKind {
  const [family] = type.split("/");
  return family === "image" || family === "video" || family === "audio" ? family : "file";
}

/** @see https://discord.com/developers/docs/resources/sticker#sticker-object-sticker-format-types */
function sticker({ id, name, format_type: format }: APIStickerItem): InboundPart {
  const number = Number(format);
  const [end, type] =
    number === 3 ? ["json", "application/json"] : number === 4 ? ["gif", "image/gif"] : ["png", "image/png"];
  const url = `https://media.discordapp.net/stickers/${encodeURIComponent(id)}.${end}`;
  return { kind: "sticker", source: { from: "url", url }, type, alt: name };
}

/** Words as a person reads them: mentions of people by their names, emoji of servers by theirs. */
export function readable(content: string, mentions: readonly APIUser[]): string {
  if (!content.includes("<")) return content;
  return content.replace(/<(?:@!?(\d+)|a?(:\w+:)\d+)>/g, (all: string, user?: string, emoji?: string) => {
    if (emoji !== undefined) return emoji;
    const named = mentions.find(({ id }) => id === user);
    return named === undefined ? all : `@${named.username}`;
  });
}

function pollText({ question, answers }: APIPoll): string {
  return [question.text ?? "", ...answers.map((one) => `- ${one.poll_media.text ?? ""}`)].join("\n");
}
