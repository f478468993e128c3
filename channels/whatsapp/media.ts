/** Bytes of what people sent: Meta tells where they are for about five minutes, so they are asked for when they are wanted. */
import { Readable } from "node:stream";
import { capped } from "../../src/capped.ts";
import type { MediaFetch } from "../../src/channel.ts";
import { RetryableError, TerminalError } from "../../src/errors.ts";
import type { GraphApi } from "./api.ts";
import { mapError } from "./errors.ts";
import type { CloudOptions } from "./settings.ts";

/** For the whole download. */
const deadlineMs = 120_000;

/**
 * @param ref a medium's id. @throws TerminalError for one that WhatsApp no longer has or that is over the limit.
 * @see https://developers.facebook.com/docs/whatsapp/cloud-api/reference/media#download-media
 */
export async function fetchMedia(
  api: GraphApi,
  { token, mediaMaxBytes }: CloudOptions,
  ref: string,
  signal: AbortSignal,
): ReturnType<MediaFetch["fetchMedia"]> {
  const ends = AbortSignal.any([signal, AbortSignal.timeout(deadlineMs)]);
  try {
    const { url, mime_type: type, file_size: size } = await api.media(ref, ends);
    if ((size ?? 0) > mediaMaxBytes) throw tooLarge(mediaMaxBytes);
    const response = await api.download(url, ends);
    if (response.statusCode !== 200) {
      response.destroy();
      // An address that ran out: the next try asks for a fresh one.
      throw new RetryableError(`whatsapp media: ${response.statusCode}`);
    }
    const length = Number(response.headers["content-length"] ?? size ?? Number.NaN);
    if (length > mediaMaxBytes) {
      response.destroy();
      throw tooLarge(mediaMaxBytes);
    }
    const body = (Readable.toWeb(response) as ReadableStream<Uint8Array>).pipeThrough(capped(mediaMaxBytes, tooLarge));
    return {
      body,
      ...(type === undefined ? {} : { type: type.split(";")[0]?.trim() ?? type }),
      ...(Number.isFinite(length) ? { size: length } : {}),
    };
  } catch (error) {
    throw mapError(error, "media", token);
  }
}

function tooLarge(max: number): TerminalError {
  return new TerminalError(`whatsapp media: the file has more than ${max} bytes`);
}
