/** What Telegram's errors mean for us. grammY's own errors never leave the channel: they carry the payload and the token. */
import { GrammyError, HttpError } from "grammy/web";
import { InfrastructureError, InputError, RateLimitedError, RetryableError, TerminalError } from "../../src/errors.ts";

/** Telegram no longer takes the bot's token: nothing but another one helps. */
export class TokenRefusedError extends TerminalError {
  override readonly name = "TokenRefusedError";
}

/**
 * @param operation the Bot API method.
 * @see https://core.telegram.org/bots/api#making-requests and https://core.telegram.org/api/errors
 */
export function mapError(error: unknown, operation: string, token: string): Error {
  const own = error instanceof HttpError ? error.error : error;
  if (own instanceof InfrastructureError || own instanceof TerminalError || own instanceof InputError) return own;
  if (own instanceof RetryableError) return own;
  const options = { cause: scrubbed(own, token) };
  if (!(error instanceof GrammyError)) return new RetryableError(`telegram ${operation}: no answer`, options);

  const { error_code: code, parameters } = error;
  const words = `telegram ${operation}: ${code}`;
  if (code === 429) {
    const retryAfterMs = (parameters.retry_after ?? 1) * 1_000;
    return new RateLimitedError(words, { ...options, retryAfterMs, scope: "conversation" });
  }
  if (code === 401 || code === 404) {
    const hint = "Telegram does not know the bot's token; take the current one from @BotFather";
    return new (code === 401 ? TokenRefusedError : TerminalError)(`${words}: ${hint}`, options);
  }
  if (code >= 500 || code === 409 || code === 408) return new RetryableError(words, options);
  const hint = hints.find(([said]) => said.test(error.description))?.[1];
  return new TerminalError(hint === undefined ? words : `${words}: ${hint}`, options);
}

const hints: readonly (readonly [RegExp, string])[] = [
  [/initiate conversation/i, "the person has not started the bot: have them open it and press Start, then send again"],
  [/blocked by the user/i, "the person has blocked the bot: nothing reaches them until they unblock it"],
  [/user is deactivated/i, "the person's account is deleted"],
  [/bot was kicked|not a member/i, "the bot is not in the group any more: have it added again"],
  [/chat not found/i, "no such chat is known to the bot: check the id; a person must have started the bot"],
];

/** Telegram refused our markup: the same text goes out without it. */
export function isMarkupRefused(error: unknown): boolean {
  return error instanceof GrammyError && error.error_code === 400 && /can't parse entities/i.test(error.description);
}

/** Telegram does not take this medium in this form: too large or too odd a picture, voice refused by the person, a dead address. */
export function isMediaRefused(error: unknown): boolean {
  if (!(error instanceof GrammyError) || error.error_code !== 400) return false;
  return /PHOTO_|IMAGE_PROCESS|VOICE_MESSAGES_FORBIDDEN|STICKER_|WEBPAGE_|HTTP URL|wrong (?:type of|file identifier)/i.test(
    error.description,
  );
}

export function areButtonsRefused(error: unknown): boolean {
  return error instanceof GrammyError && error.error_code === 400 && /BUTTON_|inline keyboard/i.test(error.description);
}

/** The group became a supergroup: where it is now. */
export function movedTo(error: unknown): number | undefined {
  return error instanceof GrammyError ? error.parameters.migrate_to_chat_id : undefined;
}

/** Name and words of an error, without payload, token or quoted text. */
function scrubbed(error: unknown, token: string): Error {
  const words =
    error instanceof GrammyError
      ? error.description.replace(/"[^"]*"/g, '"…"')
      : String((error as Error)?.message ?? error);
  const clean = new Error(
    words
      .replaceAll(token, "…")
      .replaceAll(encodeURIComponent(token), "…")
      .replace(/bot\d+:[^/\s]+/g, "bot…"),
  );
  clean.name = error instanceof Error ? error.name : "Error";
  const code = (error as { code?: unknown } | undefined)?.code;
  if (typeof code === "string" && !clean.message.includes(code)) clean.message = `${code} ${clean.message}`;
  return clean;
}
