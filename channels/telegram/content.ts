/** What a Telegram message contains, as parts. Files are referred to by file_id, which `fetchMedia` takes. */
import type { Message, Poll } from "grammy/types";
import type { InboundPart, MediaKind } from "../../src/message.ts";
import { textAndFormat } from "./entities.ts";

/** The parts of a message; empty for service messages, which nobody wrote. */
export function partsOf(message: Message): InboundPart[] {
  const parts: InboundPart[] = [...media(message), ...place(message)];
  const [text, entities] =
    message.text === undefined ? [message.caption, message.caption_entities] : [message.text, message.entities];
  if (text !== undefined && text !== "") parts.push({ kind: "text", ...textAndFormat(text, entities) });
  if (parts.length > 0) return parts;
  const words = described(message);
  return words === undefined ? [] : [{ kind: "text", text: words, format: "plain" }];
}

interface File {
  readonly file_id: string;
  readonly file_size?: number;
  readonly file_name?: string;
  readonly mime_type?: string;
  readonly width?: number;
  readonly height?: number;
  readonly duration?: number;
  readonly emoji?: string;
}

function part(kind: MediaKind, file: File, type: string): InboundPart {
  return {
    kind,
    source: { from: "platform", ref: file.file_id },
    type: file.mime_type ?? type,
    ...(file.file_name === undefined ? {} : { name: file.file_name }),
    ...(file.file_size === undefined ? {} : { size: file.file_size }),
    ...(file.width === undefined ? {} : { width: file.width }),
    ...(file.height === undefined ? {} : { height: file.height }),
    ...(file.duration === undefined ? {} : { duration: file.duration }),
    ...(file.emoji === undefined ? {} : { alt: file.emoji }),
  };
}

function media(message: Message): InboundPart[] {
  const { photo, animation, document, video, video_note: note, audio, voice, sticker } = message;
  if (photo !== undefined) {
    const largest = photo.toSorted((a, b) => a.width * a.height - b.width * b.height).at(-1);
    return largest === undefined ? [] : [part("image", largest, "image/jpeg")];
  }
  // An animation comes with the same file as a document, for programs that know no animations.
  if (animation !== undefined) return [part("video", animation, "video/mp4")];
  if (document !== undefined) return [part("file", document, "application/octet-stream")];
  if (video !== undefined) return [part("video", video, "video/mp4")];
  if (note !== undefined) return [part("video", { ...note, width: note.length, height: note.length }, "video/mp4")];
  if (audio !== undefined) return [part("audio", audio, "audio/mpeg")];
  if (voice !== undefined) return [part("voice", voice, "audio/ogg")];
  if (sticker === undefined) return [];
  const type = sticker.is_animated ? "application/x-tgsticker" : sticker.is_video ? "video/webm" : "image/webp";
  return [part("sticker", sticker, type)];
}

function place({ venue, location, contact }: Message): InboundPart[] {
  if (venue !== undefined) {
    const { latitude, longitude } = venue.location;
    return [{ kind: "location", latitude, longitude, name: venue.title, address: venue.address }];
  }
  if (location !== undefined) {
    return [{ kind: "location", latitude: location.latitude, longitude: location.longitude }];
  }
  if (contact === undefined) return [];
  const name = [contact.first_name, contact.last_name].filter((given) => given !== undefined && given !== "").join(" ");
  return [
    {
      kind: "contact",
      name,
      phone: contact.phone_number,
      ...(contact.vcard === undefined ? {} : { vcard: contact.vcard }),
    },
  ];
}

/** What a person sent that has no part of its own, in words. */
function described(message: Message): string | undefined {
  if (message.dice !== undefined) return `${message.dice.emoji} ${message.dice.value}`;
  if (message.poll !== undefined) return pollText(message.poll);
  if (message.checklist !== undefined) {
    return [message.checklist.title, ...message.checklist.tasks.map((task) => `- ${task.text}`)].join("\n");
  }
  if (message.rich_message !== undefined) return textsIn(message.rich_message).join("\n").trim() || "(rich message)";
  if (message.story !== undefined) return "(a forwarded story)";
  if (message.paid_media !== undefined) return "(paid media)";
  if (message.game !== undefined) return `(game: ${message.game.title})`;
  return undefined;
}

function pollText({ question, options }: Poll): string {
  return [question, ...options.map((option) => `- ${option.text}`)].join("\n");
}

/** Rich messages nest blocks and texts to 16 levels; their words stand in fields named "text". */
function textsIn(value: unknown, depth = 0): string[] {
  if (typeof value === "string") return [value];
  if (typeof value !== "object" || value === null || depth > 40) return [];
  if (Array.isArray(value)) {
    // A list of strings and spans is one line of text.
    const line = value.some((item) => typeof item === "string");
    const texts = value.flatMap((item) => textsIn(item, depth + 1));
    return line ? [texts.join("")] : texts;
  }
  return Object.entries(value).flatMap(([key, inner]) => {
    return key === "text" || (typeof inner === "object" && inner !== null) ? textsIn(inner, depth + 1) : [];
  });
}
