import { createHmac, timingSafeEqual } from "node:crypto";

export const signatureHeader = "x-sample-signature";

/** HMAC-SHA256 over the raw bytes, in hexadecimal. */
export function sign(body: string | Uint8Array, secret: string): string {
  return createHmac("sha256", secret).update(body).digest("hex");
}

/** True where the platform signed exactly these bytes. */
export function verify(headers: Headers, body: Uint8Array, secret: string): boolean {
  const given = Buffer.from(headers.get(signatureHeader) ?? "");
  const expected = Buffer.from(sign(body, secret));
  return given.length === expected.length && timingSafeEqual(given, expected);
}
