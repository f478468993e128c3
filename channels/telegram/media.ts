/** Bytes of what people sent: getFile tells where they are for an hour. */
import { Readable } from "node:stream";
import { capped } from "../../src/capped.ts";
import type { MediaFetch } from "../../src/channel.ts";
import { RetryableError, TerminalError } from "../../src/errors.ts";
import { asSignal, type TelegramApi } from "./api.ts";
import { mapError } from "./errors.ts";
import type { TelegramOptions } from "./settings.ts";

/** For the whole download. */
const deadlineMs = 120_000;

/**
 * @param ref a file_id. @throws TerminalError for one that Telegram no longer has or that is over the limit.
 * @see https://core.telegram.org/bots/api#getfile
 */
export async function fetchMedia(
  api: TelegramApi,
  { token, mediaMaxBytes }: TelegramOptions,
  ref: string,
  signal: AbortSignal,
): ReturnType<MediaFetch["fetchMedia"]> {
  const ends = AbortSignal.any([signal, AbortSignal.timeout(deadlineMs)]);
  try {
    const { file_path: path, file_size: size } = await api.calls.getFile(ref, asSignal(ends));
    if (path === undefined) throw new TerminalError("telegram getFile: the file is not offered for download");
    if ((size ?? 0) > mediaMaxBytes) throw tooLarge(mediaMaxBytes);
    if (path.startsWith("/")) {
      throw new TerminalError("telegram getFile: the Bot API server runs with --local and keeps its files to itself");
    }
    const response = await api.download(path.split("/").map(encodeURIComponent).join("/"), ends);
    if (response.statusCode !== 200) {
      response.destroy();
      const words = `telegram file: ${response.statusCode}`;
      throw response.statusCode === 404 ? new TerminalError(words) : new RetryableError(words);
    }
    const length = Number(response.headers["content-length"] ?? size ?? Number.NaN);
    if (length > mediaMaxBytes) {
      response.destroy();
      throw tooLarge(mediaMaxBytes);
    }
    const body = Readable.toWeb(response) as ReadableStream<Uint8Array>;
    return {
      body: body.pipeThrough(capped(mediaMaxBytes, tooLarge)),
      ...(Number.isFinite(length) ? { size: length } : {}),
    };
  } catch (error) {
    throw mapError(error, "getFile", token);
  }
}

function tooLarge(max: number): TerminalError {
  return new TerminalError(`telegram: the file has more than ${max} bytes`);
}
