/** A QR code for the terminal: what a phone scans to link this gateway. */
import { capacity, codewordsOf } from "./qr-bits.ts";

/** Dark modules, row by row. @throws RangeError for a text that is too long. */
export function qrOf(text: string): boolean[][] {
  const { version, codewords } = codewordsOf(text);
  const size = version * 4 + 17;
  const dark = Array.from({ length: size }, () => Array.from({ length: size }, () => false));
  const fixed = Array.from({ length: size }, () => Array.from({ length: size }, () => false));
  const set = (x: number, y: number, value: boolean) => {
    const [row, mark] = [dark[y], fixed[y]];
    if (row === undefined || mark === undefined || x < 0 || x >= size) return;
    row[x] = value;
    mark[x] = true;
  };
  drawPatterns(set, version, size);
  drawFormat(set, size);
  drawData(dark, fixed, codewords, capacity(version));
  return dark;
}

type Set = (x: number, y: number, value: boolean) => void;

function drawPatterns(set: Set, version: number, size: number): void {
  for (let at = 0; at < size; at += 1) {
    set(6, at, at % 2 === 0);
    set(at, 6, at % 2 === 0);
  }
  const corners = [
    [3, 3],
    [size - 4, 3],
    [3, size - 4],
  ] as const;
  for (const [x, y] of corners) square(set, x, y, 4, (distance) => distance !== 2 && distance !== 4);
  const marks = marksOf(version, size);
  const last = marks.at(-1);
  for (const x of marks)
    for (const y of marks) {
      if ((x === 6 && (y === 6 || y === last)) || (x === last && y === 6)) continue;
      square(set, x, y, 2, (distance) => distance !== 1);
    }
  if (version < 7) return;
  const bits = withRemainder(version, 12, 0x1f25);
  for (let at = 0; at < 18; at += 1) {
    const value = ((bits >>> at) & 1) === 1;
    const [a, b] = [size - 11 + (at % 3), Math.floor(at / 3)];
    set(a, b, value);
    set(b, a, value);
  }
}

function square(set: Set, x: number, y: number, radius: number, isDark: (distance: number) => boolean): void {
  for (let dy = -radius; dy <= radius; dy += 1)
    for (let dx = -radius; dx <= radius; dx += 1) set(x + dx, y + dy, isDark(Math.max(Math.abs(dx), Math.abs(dy))));
}

/** Where the small squares stand, in both directions. */
function marksOf(version: number, size: number): number[] {
  if (version === 1) return [];
  const count = Math.floor(version / 7) + 2;
  const step = Math.floor((version * 4 + count * 2 + 1) / (count * 2 - 2)) * 2;
  return [6, ...Array.from({ length: count - 1 }, (_, at) => size - 7 - (count - 2 - at) * step)];
}

/** Correction "L" and pattern 0, twice. */
function drawFormat(set: Set, size: number): void {
  const bits = withRemainder(1 << 3, 10, 0x537) ^ 0x5412;
  const bit = (at: number) => ((bits >>> at) & 1) === 1;
  for (let at = 0; at <= 5; at += 1) set(8, at, bit(at));
  set(8, 7, bit(6));
  set(8, 8, bit(7));
  set(7, 8, bit(8));
  for (let at = 9; at < 15; at += 1) set(14 - at, 8, bit(at));
  for (let at = 0; at < 8; at += 1) set(size - 1 - at, 8, bit(at));
  for (let at = 8; at < 15; at += 1) set(8, size - 15 + at, bit(at));
  set(8, size - 8, true);
}

function withRemainder(value: number, degree: number, divisor: number): number {
  let rest = value;
  for (let at = 0; at < degree; at += 1) rest = (rest << 1) ^ ((rest >>> (degree - 1)) * divisor);
  return (value << degree) | rest;
}

/** In pairs of columns from the right, up and down in turn, under the pattern of a chessboard. */
function drawData(dark: boolean[][], fixed: readonly boolean[][], codewords: Uint8Array, modules: number): void {
  const size = dark.length;
  let next = 0;
  for (let right = size - 1; right >= 1; right -= 2) {
    if (right === 6) right = 5;
    for (let step = 0; step < size; step += 1) {
      for (const x of [right, right - 1]) {
        const upward = ((right + 1) & 2) === 0;
        const y = upward ? size - 1 - step : step;
        const row = dark[y];
        if (row === undefined || fixed[y]?.[x] === true) continue;
        const bit = next < modules ? ((codewords[next >>> 3] ?? 0) >>> (7 - (next & 7))) & 1 : 0;
        next += 1;
        row[x] = (bit === 1) !== ((x + y) % 2 === 0);
      }
    }
  }
}

/** Two rows of modules in one of text, light on dark as terminals are, with the border that scanners need. */
export function drawn(text: string): string {
  const code = qrOf(text);
  const border = 2;
  const light = (x: number, y: number) => code[y]?.[x] !== true;
  const lines: string[] = [];
  for (let y = -border; y < code.length + border; y += 2) {
    let line = "";
    for (let x = -border; x < code.length + border; x += 1) {
      const [top, bottom] = [light(x, y), light(x, y + 1)];
      line += top ? (bottom ? "█" : "▀") : bottom ? "▄" : " ";
    }
    lines.push(line);
  }
  return lines.join("\n");
}
