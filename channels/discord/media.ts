/** Bytes of what people sent: the message says where its files are, for a day. */
import type { APIAttachment, APIMessage } from "discord.js";
import { capped } from "../../src/capped.ts";
import type { MediaFetch } from "../../src/channel.ts";
import { RetryableError, TerminalError } from "../../src/errors.ts";
import type { DiscordApi } from "./api.ts";
import { mapError } from "./errors.ts";
import type { DiscordOptions } from "./settings.ts";

/** For the whole download. */
const deadlineMs = 120_000;

/** @param ref as `content.ts` makes it. @throws TerminalError for what Discord no longer has or what is over the limit. */
export async function fetchMedia(
  api: DiscordApi,
  { token, mediaMaxBytes }: DiscordOptions,
  ref: string,
  signal: AbortSignal,
): ReturnType<MediaFetch["fetchMedia"]> {
  const ends = AbortSignal.any([signal, AbortSignal.timeout(deadlineMs)]);
  const url = ref.startsWith("url:") ? ref.slice("url:".length) : await addressOf(api, ref, mediaMaxBytes, ends);
  let response: Response;
  try {
    response = await fetch(url, { signal: ends, redirect: "error" });
  } catch (error) {
    throw mapError(error, "file", token);
  }
  const { body, status, headers } = response;
  if (!response.ok || body === null) {
    await body?.cancel();
    const words = `discord file: ${status}`;
    throw status === 404 || status === 403 ? new TerminalError(words) : new RetryableError(words);
  }
  const length = Number(headers.get("content-length") ?? Number.NaN);
  if (length > mediaMaxBytes) {
    await body.cancel();
    throw tooLarge(mediaMaxBytes);
  }
  const type = headers.get("content-type");
  return {
    body: body.pipeThrough(capped(mediaMaxBytes, tooLarge)),
    ...(type === null ? {} : { type }),
    ...(Number.isFinite(length) ? { size: length } : {}),
  };
}

async function addressOf(api: DiscordApi, ref: string, max: number, signal: AbortSignal): Promise<string> {
  const [channel, message, id, ...more] = ref.split("/");
  if (channel === undefined || message === undefined || id === undefined || more.length > 0)
    throw new TerminalError("discord: the file is not known");
  const route = `/channels/${encodeURIComponent(channel)}/messages/${encodeURIComponent(message)}`;
  const found = await api.call<APIMessage>("get message", { method: "GET", route, signal });
  const files: readonly APIAttachment[] = [
    ...found.attachments,
    ...(found.message_snapshots ?? []).flatMap((snapshot) => snapshot.message.attachments),
  ];
  const file = files.find((one) => one.id === id);
  if (file === undefined) throw new TerminalError("discord: the file is no longer in its message");
  if (file.size > max) throw tooLarge(max);
  return file.url;
}

function tooLarge(max: number): TerminalError {
  return new TerminalError(`discord: the file has more than ${max} bytes`);
}
