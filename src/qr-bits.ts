/**
 * The codewords of a QR code (ISO/IEC 18004): bytes at the lowest level of correction, with their Reed-Solomon remainders.
 */

/** By version from 1: codewords of correction in a block, and blocks. */
const correction = [7, 10, 15, 20, 26, 18, 20, 24, 30, 18, 20, 24, 26, 30, 22, 24, 28, 30, 28, 28];
const blockCounts = [1, 1, 1, 1, 1, 2, 2, 2, 2, 4, 4, 4, 4, 4, 6, 6, 6, 6, 7, 8];

/** Modules that carry data and correction. */
export function capacity(version: number): number {
  let modules = (16 * version + 128) * version + 64;
  if (version >= 2) {
    const marks = Math.floor(version / 7) + 2;
    modules -= (25 * marks - 10) * marks - 55;
    if (version >= 7) modules -= 36;
  }
  return modules;
}

/** @throws RangeError for a text of more than about 850 bytes. */
export function codewordsOf(text: string): { version: number; codewords: Uint8Array } {
  const bytes = Buffer.from(text);
  for (const [at, perBlock] of correction.entries()) {
    const version = at + 1;
    const blocks = blockCounts[at] ?? 1;
    const room = Math.floor(capacity(version) / 8) - perBlock * blocks;
    const lengthBits = version < 10 ? 8 : 16;
    if (4 + lengthBits + bytes.length * 8 > room * 8) continue;
    return { version, codewords: interleaved(dataOf(bytes, lengthBits, room), blocks, perBlock) };
  }
  throw new RangeError("too long for a QR code of this size");
}

/** Mode, length, bytes, an end, and padding. */
function dataOf(bytes: Uint8Array, lengthBits: number, room: number): Uint8Array {
  const bits: number[] = [];
  const put = (value: number, count: number) => {
    for (let bit = count - 1; bit >= 0; bit -= 1) bits.push((value >>> bit) & 1);
  };
  put(4, 4);
  put(bytes.length, lengthBits);
  for (const byte of bytes) put(byte, 8);
  put(0, Math.min(4, room * 8 - bits.length));
  while (bits.length % 8 !== 0) bits.push(0);
  for (let padding = 0xec; bits.length < room * 8; padding ^= 0xec ^ 0x11) put(padding, 8);
  return Uint8Array.from({ length: room }, (_, at) =>
    bits.slice(at * 8, at * 8 + 8).reduce((byte, bit) => (byte << 1) | bit, 0),
  );
}

/** The longer blocks come last; then column by column, so that a stain hits every block a little. */
function interleaved(data: Uint8Array, blocks: number, perBlock: number): Uint8Array {
  const short = Math.floor(data.length / blocks);
  const longer = data.length % blocks;
  const divisor = divisorOf(perBlock);
  const parts: Uint8Array[] = [];
  for (let block = 0, at = 0; block < blocks; block += 1) {
    const length = short + (block >= blocks - longer ? 1 : 0);
    parts.push(data.subarray(at, at + length));
    at += length;
  }
  const remainders = parts.map((part) => remainderOf(part, divisor));
  const columns = (rows: readonly Uint8Array[]) =>
    Array.from({ length: short + 1 + perBlock }, (_, column) => rows.flatMap((row) => row[column] ?? [])).flat();
  return Uint8Array.from([...columns(parts), ...columns(remainders)]);
}

/** In the field of 256 elements that QR codes calculate in. */
function times(one: number, other: number): number {
  let product = 0;
  for (let bit = 7; bit >= 0; bit -= 1) {
    product = (product << 1) ^ ((product >>> 7) * 0x11d);
    if (((other >>> bit) & 1) === 1) product ^= one;
  }
  return product;
}

function divisorOf(degree: number): Uint8Array {
  const result = new Uint8Array(degree);
  result[degree - 1] = 1;
  for (let step = 0, root = 1; step < degree; step += 1, root = times(root, 2)) {
    for (let at = 0; at < degree; at += 1) result[at] = times(result[at] ?? 0, root) ^ (result[at + 1] ?? 0);
  }
  return result;
}

function remainderOf(data: Uint8Array, divisor: Uint8Array): Uint8Array {
  const result = new Uint8Array(divisor.length);
  for (const byte of data) {
    const factor = byte ^ (result[0] ?? 0);
    result.copyWithin(0, 1);
    result[result.length - 1] = 0;
    for (const [at, term] of divisor.entries()) result[at] = (result[at] ?? 0) ^ times(term, factor);
  }
  return result;
}
