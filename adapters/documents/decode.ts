import { InputError } from "../../src/errors.ts";

/**
 * Bytes of text: by their mark, else as UTF-8, else as Windows-1252, which old files mostly are. A character that the end
 * cuts is left out.
 * @throws InputError for bytes that are no text.
 */
export function decode(bytes: Uint8Array): string {
  const begins = { stream: true };
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return new TextDecoder("utf-16le").decode(bytes, begins);
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return new TextDecoder("utf-16be").decode(bytes, begins);
  if (bytes.includes(0)) throw new InputError("it is not the text that its type or name says");
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes, begins);
  } catch {
    return new TextDecoder("windows-1252").decode(bytes, begins); // takes every byte
  }
}
