/** The bytes of a medium that came in, wherever they are. */
import type { Channel } from "./channel.ts";
import { TerminalError } from "./errors.ts";
import type { SafeFetch } from "./fetch.ts";
import type { MediaKind, MediaPart } from "./message.ts";
import type { Blobs } from "./ports.ts";

/** Of a medium that a person names by its address. */
const mostBytes = 20 * 1024 * 1024;

export interface MediaStores {
  readonly blobs: Blobs;
  readonly channel: Channel | undefined;
  readonly safeFetch: SafeFetch | undefined;
}

/** @throws TerminalError where it is gone; Error where nobody can open it; whatever the store, the channel or the fetch throws. */
export async function openMedia(
  { source, type }: MediaPart,
  { blobs, channel, safeFetch }: MediaStores,
  signal: AbortSignal,
): Promise<{ readonly body: ReadableStream<Uint8Array>; readonly type: string }> {
  if (source.from === "blob") {
    const blob = await blobs.get(source.id);
    if (blob === undefined) throw new TerminalError("the medium is gone: it was kept for its time");
    return blob;
  } else if (source.from === "platform") {
    const fetched = await channel?.fetchMedia?.(source.ref, signal);
    if (fetched !== undefined) return { body: fetched.body, type: fetched.type ?? type };
  } else if (safeFetch !== undefined) {
    const { status, headers, body } = await safeFetch(source.url, { maxBytes: mostBytes, signal });
    const stream = new Blob([new Uint8Array(body)]).stream();
    if (status === 200) return { body: stream, type: headers.get("content-type") ?? type };
  }
  throw new Error(`a medium from "${source.from}" cannot be opened`);
}

/** How a file of this media type is shown to people. */
export function mediaKindOf(type: string): MediaKind {
  if (/^image\/(png|jpeg|gif|webp)$/.test(type)) return "image";
  if (type.startsWith("audio/")) return "audio";
  return type.startsWith("video/") ? "video" : "file";
}
