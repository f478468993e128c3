/** The files of a zip archive, one by one, as far as office documents need it: no encryption, no zip64, no spanning. */
import { inflateRawSync } from "node:zlib";
import { InputError } from "../../src/errors.ts";

export interface Archive {
  readonly names: readonly string[];
  /** @throws InputError where there is no such file, it is damaged, or all that was read is over the limit. */
  read(name: string): Buffer;
  has(name: string): boolean;
}

interface Entry {
  readonly method: number;
  readonly packed: number;
  readonly at: number;
}

const damaged = "it is damaged, or not what its type says";
const mostEntries = 10_000;

/** @param maxBytes of all files that are read together, unpacked, whatever the archive says of their sizes. */
export function openArchive(bytes: Uint8Array, maxBytes: number): Archive {
  const zip = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const entries = directoryOf(zip);
  let left = maxBytes;
  return {
    names: [...entries.keys()],
    has: (name) => entries.has(name),
    read(name) {
      const entry = entries.get(name);
      if (entry === undefined) throw new InputError(damaged);
      const content = unpack(zip, entry, left);
      left -= content.byteLength;
      return content;
    },
  };
}

function directoryOf(zip: Buffer): Map<string, Entry> {
  // The end's record is followed by a comment of 64 kB at most.
  const end = zip.lastIndexOf(Buffer.from([0x50, 0x4b, 0x05, 0x06]));
  if (end < 0 || end + 22 > zip.length) throw new InputError(damaged);
  const count = Math.min(zip.readUInt16LE(end + 10), mostEntries);
  const entries = new Map<string, Entry>();
  let at = zip.readUInt32LE(end + 16);
  for (let n = 0; n < count; n += 1) {
    if (at + 46 > zip.length || zip.readUInt32LE(at) !== 0x02014b50) throw new InputError(damaged);
    const [name, extra, comment] = [28, 30, 32].map((offset) => zip.readUInt16LE(at + offset)) as [
      number,
      number,
      number,
    ];
    const entry = {
      method: zip.readUInt16LE(at + 10),
      packed: zip.readUInt32LE(at + 20),
      at: zip.readUInt32LE(at + 42),
    };
    entries.set(zip.toString("utf8", at + 46, at + 46 + name), entry);
    at += 46 + name + extra + comment;
  }
  return entries;
}

function unpack(zip: Buffer, { method, packed, at }: Entry, most: number): Buffer {
  if (at + 30 > zip.length || zip.readUInt32LE(at) !== 0x04034b50) throw new InputError(damaged);
  const from = at + 30 + zip.readUInt16LE(at + 26) + zip.readUInt16LE(at + 28);
  const content = zip.subarray(from, from + packed);
  if (method === 0 && content.byteLength <= most) return content;
  if (method !== 8 || most <= 0) throw new InputError(method === 8 ? tooLarge : damaged);
  try {
    return inflateRawSync(content, { maxOutputLength: most });
  } catch (cause) {
    const isLarge = (cause as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE";
    throw new InputError(isLarge ? tooLarge : damaged, { cause });
  }
}

const tooLarge = "it is too large once it is unpacked";
