import { createHash, timingSafeEqual } from "node:crypto";

/**
 * True where Telegram sent it: the header carries the secret that `setWebhook` named. The comparison takes the same time
 * whatever the header says.
 *
 * @see https://core.telegram.org/bots/api#setwebhook
 */
export function verify(headers: Headers, secret: string): boolean {
  const given = headers.get("x-telegram-bot-api-secret-token");
  return secret !== "" && given !== null && timingSafeEqual(digest(given), digest(secret));
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
