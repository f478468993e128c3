/** Who posts to the webhook: Meta alone knows the app's secret, and once says the token that was agreed on. */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";

/**
 * True where Meta signed exactly these bytes. The comparison takes the same time whatever the header says.
 * @see https://developers.facebook.com/docs/graph-api/webhooks/getting-started#validate-payloads
 */
export function verify(headers: Headers, body: Uint8Array, appSecret: string): boolean {
  const given = headers.get("x-hub-signature-256");
  if (given === null || appSecret === "") return false;
  const expected = `sha256=${createHmac("sha256", appSecret).update(body).digest("hex")}`;
  return timingSafeEqual(digest(given), digest(expected));
}

/** What answers Meta's question whether this address is ours; undefined where it is not asked with the agreed token. */
export function challengeOf(url: URL, verifyToken: string): string | undefined {
  const { searchParams: asked } = url;
  const token = asked.get("hub.verify_token");
  if (asked.get("hub.mode") !== "subscribe" || token === null || verifyToken === "") return undefined;
  return timingSafeEqual(digest(token), digest(verifyToken)) ? (asked.get("hub.challenge") ?? undefined) : undefined;
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
