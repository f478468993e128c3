/** What stands in a message: text, pictures, sound and files. Pure. */
import { z } from "zod";
import type { MediaKind } from "../../src/message.ts";
import { RequestError } from "./errors.ts";

const text = z.object({ type: z.enum(["text", "input_text", "output_text"]), text: z.string() });
const refusal = z.object({ type: z.literal("refusal"), refusal: z.string() });
const fileId = z.string().nullish();
const file = { file_data: z.string().nullish(), filename: z.string().max(200).nullish(), file_id: fileId };

const part = z.discriminatedUnion("type", [
  text,
  refusal,
  z.object({ type: z.literal("image_url"), image_url: z.object({ url: z.string() }) }),
  z.object({ type: z.literal("input_image"), image_url: z.string().nullish(), file_id: fileId }),
  z.object({
    type: z.literal("input_audio"),
    input_audio: z.object({ data: z.string(), format: z.enum(["wav", "mp3"]) }),
  }),
  z.object({ type: z.literal("file"), file: z.object(file) }),
  z.object({ type: z.literal("input_file"), ...file, file_url: z.string().nullish() }),
]);
type ContentPart = z.infer<typeof part>;

export const content = z.union([z.string(), z.array(part)]);
export type Content = z.infer<typeof content>;

/** Bytes that came within the request, or the address where they are. */
export interface GivenMedia {
  readonly kind: "media";
  readonly media: MediaKind;
  readonly type: string;
  readonly name?: string;
  readonly from: { readonly base64: string } | { readonly url: string };
  /** Where it stands in the request. */
  readonly param: string;
}
export type Given = { readonly kind: "text"; readonly text: string } | GivenMedia;

/** @throws RequestError for a file that cannot be read. */
export function givenOf(of: Content, param: string): Given[] {
  if (typeof of === "string") return of.trim() === "" ? [] : [{ kind: "text", text: of }];
  return of.flatMap((one, at) => {
    const given = partOf(one, `${param}[${at}]`);
    return given.kind === "text" && given.text.trim() === "" ? [] : [given];
  });
}

/** For what was said before: the words, and the kinds of what else was there. */
export function textOf(of: Content): string {
  if (typeof of === "string") return of;
  return of
    .map((one) => {
      if (one.type === "refusal") return one.refusal;
      if ("text" in one) return one.text;
      return `[${one.type.includes("image") ? "image" : one.type.includes("audio") ? "audio" : "file"}]`;
    })
    .join("\n");
}

function partOf(one: ContentPart, param: string): Given {
  switch (one.type) {
    case "refusal":
      return { kind: "text", text: one.refusal };
    case "image_url":
      return mediaOf("image", one.image_url.url, undefined, param);
    case "input_image":
      return mediaOf("image", one.image_url ?? noFile(param), undefined, param);
    case "input_audio": {
      const type = one.input_audio.format === "wav" ? "audio/wav" : "audio/mpeg";
      const base64 = checked(one.input_audio.data, param);
      return { kind: "media", media: "audio", type, from: { base64 }, param };
    }
    case "file":
      return mediaOf("file", one.file.file_data ?? noFile(param), one.file.filename ?? undefined, param);
    case "input_file":
      return mediaOf("file", one.file_data ?? one.file_url ?? noFile(param), one.filename ?? undefined, param);
    default:
      return { kind: "text", text: one.text };
  }
}

function noFile(param: string): never {
  throw new RequestError("The gateway keeps no files of yours: give it as a data: URL or by its https address.", {
    param,
    code: "file_not_found",
  });
}

function mediaOf(media: "image" | "file", url: string, name: string | undefined, param: string): GivenMedia {
  const common = { kind: "media", param, ...(name !== undefined && { name }) } as const;
  const [, type, base64] = /^data:([a-z]+\/[\w.+-]+)(?:;[\w=."-]+)*;base64,([^]*)$/i.exec(url.trim()) ?? [];
  if (type !== undefined && base64 !== undefined) {
    const known = type.toLowerCase();
    return { ...common, media: kindOf(known, media), type: known, from: { base64: checked(base64, param) } };
  }
  if (!/^https?:$/.test(URL.parse(url)?.protocol ?? "")) {
    throw new RequestError("must be a data: URL in base64 or an http(s) address", { param, code: "invalid_url" });
  }
  const guess = typeOf(new URL(url).pathname) ?? (media === "image" ? "image/jpeg" : "application/octet-stream");
  return { ...common, media: kindOf(guess, media), type: guess, from: { url } };
}

function checked(base64: string, param: string): string {
  if (/^[A-Za-z0-9+/\s]+={0,2}$/.test(base64.trimEnd())) return base64;
  throw new RequestError("is not base64", { param, code: "invalid_base64" });
}

function kindOf(type: string, asked: "image" | "file"): MediaKind {
  const kind = type.split("/")[0];
  if (type === "image/svg+xml") return "file";
  return kind === "image" || kind === "audio" || kind === "video" ? kind : asked === "image" ? "image" : "file";
}

const byExtension: Readonly<Record<string, string>> = {
  png: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  gif: "image/gif",
  webp: "image/webp",
  pdf: "application/pdf",
};

/** What the name says; the server's own word counts once it is fetched. */
function typeOf(path: string): string | undefined {
  return byExtension[/\.(\w+)$/.exec(path)?.[1]?.toLowerCase() ?? ""];
}
