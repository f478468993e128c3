import { crc32, deflateSync } from "node:zlib";

/** A small PNG, the same every time: a sun over hills. Base64. @see https://www.w3.org/TR/png-3/ */
export function picture(width = 240, height = 160): string {
  const rows = Buffer.alloc((width * 3 + 1) * height);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const [red, green, blue] = colour(x / width, y / height);
      const at = y * (width * 3 + 1) + 1 + x * 3;
      rows[at] = red;
      rows[at + 1] = green;
      rows[at + 2] = blue;
    }
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8); // 8 bits, true colour
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  const chunks = [chunk("IHDR", header), chunk("IDAT", deflateSync(rows)), chunk("IEND", Buffer.alloc(0))];
  return Buffer.concat([signature, ...chunks]).toString("base64");
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const framed = Buffer.alloc(body.length + 8);
  framed.writeUInt32BE(data.length, 0);
  body.copy(framed, 4);
  framed.writeUInt32BE(crc32(body), body.length + 4);
  return framed;
}

function colour(x: number, y: number): readonly [number, number, number] {
  if ((x - 0.7) ** 2 + ((y - 0.3) * 0.67) ** 2 < 0.012) return [255, 214, 92];
  if (y > 0.75 + Math.sin(x * 9) * 0.05) return [46, 110, 84];
  if (y > 0.6 + Math.sin(x * 5 + 1) * 0.08) return [88, 150, 120];
  return [Math.round(120 + 90 * y), Math.round(170 + 50 * y), 235];
}
