import { createPublicKey, verify as verifySignature, type KeyObject } from "node:crypto";

/** An Ed25519 key in the form that Node reads has this before its 32 bytes (RFC 8410). */
const spki = Buffer.from("302a300506032b6570032100", "hex");
const toleranceMs = 5 * 60_000;

/** @param hex the application's public key, 64 characters. */
export function publicKeyOf(hex: string): KeyObject {
  return createPublicKey({ key: Buffer.concat([spki, Buffer.from(hex, "hex")]), format: "der", type: "spki" });
}

/**
 * True where Discord sent it: the signature is over the time-stamp and the raw bytes of the body, and the time-stamp is
 * within five minutes of ours.
 *
 * @see https://discord.com/developers/docs/interactions/overview#setting-up-an-endpoint-validating-security-request-headers
 */
export function verify(headers: Headers, body: Uint8Array, key: KeyObject, nowMs: number): boolean {
  const signature = headers.get("x-signature-ed25519") ?? "";
  const time = headers.get("x-signature-timestamp") ?? "";
  if (!/^[\da-f]{128}$/i.test(signature) || !/^\d{1,12}$/.test(time)) return false;
  if (Math.abs(nowMs - Number(time) * 1_000) > toleranceMs) return false;
  return verifySignature(null, Buffer.concat([Buffer.from(time), body]), key, Buffer.from(signature, "hex"));
}
