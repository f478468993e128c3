import { formatted, MAX_CAPTION } from "../formatting.ts";
import { array, integer, isObject, text } from "../params.ts";
import { badRequest, type Message, type Params } from "../types.ts";
import type { StoredFile } from "../world.ts";
import { post, textFields } from "./common.ts";
import type { Method, MethodContext } from "./method.ts";

export type MediaKind = "photo" | "document" | "voice" | "audio" | "video" | "sticker";

const MIME: Readonly<Record<MediaKind, string>> = {
  photo: "image/jpeg",
  document: "application/octet-stream",
  voice: "audio/ogg",
  audio: "audio/mpeg",
  video: "video/mp4",
  sticker: "image/webp",
};
const ALBUM_KINDS: readonly unknown[] = ["photo", "video", "document", "audio"];

/** "Sending files": by upload, by file_id, or by URL, which the fake takes without fetching it. */
function inputFile(context: MethodContext, params: Params, key: string, kind: MediaKind): StoredFile {
  const value = text(params, key);
  const upload = context.files.get(value.startsWith("attach://") ? value.slice(9) : key);
  if (upload !== undefined) {
    if (upload.data.length === 0) throw badRequest("file must be non-empty");
    const mime = upload.mime === MIME.document ? MIME[kind] : upload.mime;
    return context.world.addFile({ data: upload.data, size: upload.data.length, name: upload.name, mime });
  }
  if (value === "") throw badRequest(`there is no ${kind} in the request`);
  if (/^https?:\/\//i.test(value)) {
    return context.world.addFile({ size: 0, name: new URL(value).pathname.split("/").at(-1) ?? "", mime: MIME[kind] });
  }
  const known = context.world.fileById(value);
  if (known === undefined) throw badRequest("wrong remote file identifier specified: Wrong string length");
  return known;
}

/** The field of a message that describes a file ("PhotoSize", "Document", "Voice", …), also of what users send. */
export function mediaField(kind: MediaKind, file: StoredFile, duration = 1): Partial<Message> {
  const base = { file_id: file.fileId, file_unique_id: file.uniqueId, file_size: file.size };
  const picture = { width: 640, height: 480 };
  const named = { file_name: file.name, mime_type: file.mime };
  switch (kind) {
    case "photo":
      return { photo: [{ ...base, ...picture }] };
    case "document":
      return { document: { ...base, ...named } };
    case "voice":
      return { voice: { ...base, mime_type: file.mime, duration } };
    case "audio":
      return { audio: { ...base, ...named, duration } };
    case "video":
      return { video: { ...base, ...named, ...picture, duration } };
    case "sticker":
      return { sticker: { ...base, type: "regular", width: 512, height: 512, is_animated: false, is_video: false } };
  }
}

function caption(params: Params): Partial<Message> {
  const content = formatted(params, "caption");
  if (content.text.length > MAX_CAPTION) throw badRequest("message caption is too long");
  return textFields("caption", content);
}

function sendMedia(kind: MediaKind): Method {
  return (context, params) => {
    const to = context.world.target(params);
    const words = kind === "sticker" ? {} : caption(params);
    const file = inputFile(context, params, kind, kind);
    return post(context, params, { ...mediaField(kind, file, integer(params, "duration", 1)), ...words }, to);
  };
}

const sendMediaGroup: Method = (context, params) => {
  const to = context.world.target(params);
  const items = array(params, "media") ?? [];
  if (items.length < 2 || items.length > 10) throw badRequest("wrong number of media in the album: 2-10 expected");
  const contents = items.map((item) => {
    if (!isObject(item) || !ALBUM_KINDS.includes(item["type"]))
      throw badRequest("wrong type of InputMedia in the album");
    const kind = item["type"] as MediaKind;
    return { ...mediaField(kind, inputFile(context, item, "media", kind)), ...caption(item) };
  });
  const media_group_id = context.world.nextLongId();
  return contents.map((content) => post(context, params, { ...content, media_group_id }, to));
};

export const mediaMethods: Readonly<Record<string, Method>> = {
  sendphoto: sendMedia("photo"),
  senddocument: sendMedia("document"),
  sendvoice: sendMedia("voice"),
  sendaudio: sendMedia("audio"),
  sendvideo: sendMedia("video"),
  sendsticker: sendMedia("sticker"),
  sendmediagroup: sendMediaGroup,
};
