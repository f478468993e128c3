/** Names on the wire: Dapr refuses some characters in actor ids and keys, and joins the parts of a key by "||". */

const plain = /^[\w.:~-]+$/;

/** Most ids of channels pass as they are; what has a "%" or stranger characters becomes "=" and its base64url. */
export function encodeName(name: string): string {
  return plain.test(name) ? name : `=${Buffer.from(name).toString("base64url")}`;
}

export function decodeName(wire: string): string {
  return wire.startsWith("=") ? Buffer.from(wire.slice(1), "base64url").toString() : wire;
}

/** A name as a segment of a path. */
export function segment(name: string): string {
  return encodeURIComponent(encodeName(name));
}
