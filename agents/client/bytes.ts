import type { TurnHooks } from "../../src/agent.ts";
import { InputError, RetryableError, TerminalError } from "../../src/errors.ts";
import type { MediaPart } from "../../src/message.ts";

export type Opener = Pick<TurnHooks, "openMedia" | "signal">;

/**
 * All bytes of a medium; what its store or platform cannot give now is asked for once more.
 * @throws InputError, safe to tell, for one that is too large; TerminalError where it is gone; whatever opening it throws.
 */
export async function bytesOf(part: MediaPart, mostBytes: number, hooks: Opener) {
  if ((part.size ?? 0) > mostBytes) throw new InputError(tooLarge(mostBytes));
  try {
    return await read(part, mostBytes, hooks);
  } catch (error) {
    hooks.signal.throwIfAborted();
    if (!(error instanceof RetryableError)) throw error;
    return read(part, mostBytes, hooks);
  }
}

async function read(part: MediaPart, mostBytes: number, { openMedia }: Opener) {
  const { body, type } = await openMedia(part);
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.byteLength;
    if (size > mostBytes) throw new InputError(tooLarge(mostBytes));
    chunks.push(chunk);
  }
  return { bytes: Buffer.concat(chunks), type };
}

function tooLarge(mostBytes: number): string {
  return `it is larger than ${Math.round(mostBytes / 1_000_000)} MB`;
}

/** Why a medium cannot be had, in words that may be told. */
export function whyNot(error: unknown): string {
  if (error instanceof InputError) return error.message;
  return error instanceof TerminalError ? "it is gone, or cannot be fetched" : "it could not be had just now";
}
