/**
 * What Discord's errors mean for us. discord.js's own errors never leave the channel: they carry the request's body, and the
 * addresses of interactions, which are secrets.
 */
import { InfrastructureError, InputError, RateLimitedError, RetryableError, TerminalError } from "../../src/errors.ts";

/** Discord no longer takes the bot's token: nothing but another one helps. */
export class TokenRefusedError extends TerminalError {
  override readonly name = "TokenRefusedError";
}

/** Discord answered with an error. `code` is its own number, where it gave one. */
export interface Refusal {
  readonly status: number;
  readonly code: number | undefined;
  /** The fields of the request that Discord names, such as "components[0]". */
  readonly fields: readonly string[];
}

/** @see https://discord.com/developers/docs/topics/opcodes-and-status-codes#json */
export const codes = {
  unknownMessage: 10_008,
  unknownWebhook: 10_015,
  unknownInteraction: 10_062,
  invalidForm: 50_035,
  invalidToken: 50_027,
  replyNeedsHistory: 160_002,
  invalidRecipient: 50_033,
} as const;

const hints: Readonly<Record<number, string>> = {
  10_003: "there is no such channel, or the bot is not in its server: check the id",
  40_003: "direct chats are opened too fast: wait some minutes",
  50_001: "the bot does not see this channel: give it View Channel there",
  50_007:
    "the person takes no direct messages of the bot: they must share a server with it and allow them in its privacy settings",
  50_013: "the bot may not write there: give it Send Messages",
  50_278: "the person shares no server with the bot: have them join one, or install the app",
};

export function refusalOf(error: unknown): Refusal | undefined {
  if (!(error instanceof Error) || !("status" in error) || typeof error.status !== "number") return undefined;
  const code = "code" in error && typeof error.code === "number" ? error.code : undefined;
  const raw = "rawError" in error ? (error.rawError as { errors?: unknown } | undefined)?.errors : undefined;
  const fields = typeof raw === "object" && raw !== null ? Object.keys(raw) : [];
  return { status: error.status, code, fields };
}

/** @param operation what was tried, without ids that are secret. */
export function mapError(error: unknown, operation: string, token: string): Error {
  if (error instanceof InfrastructureError || error instanceof TerminalError || error instanceof InputError)
    return error;
  if (error instanceof RetryableError) return error;
  const limited = limitOf(error);
  if (limited !== undefined) {
    const retryAfterMs = Math.max(1, Math.ceil(limited.retryAfter));
    const scope = limited.global ? "account" : "conversation";
    return new RateLimitedError(`discord ${operation}: 429`, { retryAfterMs, scope });
  }
  const refusal = refusalOf(error);
  if (refusal === undefined) {
    return new RetryableError(`discord ${operation}: no answer`, { cause: scrubbed(error, token) });
  }
  const { status, code } = refusal;
  const words = `discord ${operation}: ${status}${code === undefined || code === 0 ? "" : ` (code ${code})`}`;
  if (status === 401) {
    return new TokenRefusedError(`${words}: Discord does not know the bot's token; take a new one from the Bot page`);
  }
  if (status >= 500 || status === 408 || status === 429) return new RetryableError(words);
  const hint = code === undefined ? undefined : hints[code];
  return new TerminalError(hint === undefined ? words : `${words}: ${hint}`);
}

function limitOf(error: unknown): { readonly retryAfter: number; readonly global: boolean } | undefined {
  if (!(error instanceof Error) || !("retryAfter" in error) || !("global" in error)) return undefined;
  return typeof error.retryAfter === "number"
    ? { retryAfter: error.retryAfter, global: error.global === true }
    : undefined;
}

/** Name, words and code of an error that is not Discord's: of the network or of the program. */
function scrubbed(error: unknown, token: string): Error {
  const words = error instanceof Error ? error.message : String(error);
  const clean = new Error(words.replaceAll(token, "…").replace(/\/(?:webhooks|interactions)\/\S+/g, "/…"));
  clean.name = error instanceof Error ? error.name : "Error";
  const code = (error as { code?: unknown } | undefined)?.code;
  if (typeof code === "string" && !clean.message.includes(code)) clean.message = `${code} ${clean.message}`;
  return clean;
}
