/** What Graph's errors mean for us. @see https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes */
import { InfrastructureError, InputError, RateLimitedError, RetryableError, TerminalError } from "../../src/errors.ts";

/** What Meta answered, or says of a message that it had accepted. */
export class GraphError extends Error {
  override readonly name = "GraphError";
  /** -1 where it gave none. */
  readonly code: number;
  /** The HTTP status; 0 where it came by webhook. */
  readonly status: number;
  readonly retryAfterMs: number | undefined;

  constructor(message: string, facts: { code: number; status: number; retryAfterMs?: number | undefined }) {
    super(message);
    this.code = facts.code;
    this.status = facts.status;
    this.retryAfterMs = facts.retryAfterMs;
  }
}

export const outsideWindow = 131_047;

/** What the doctor tells apart. */
export const codes = { tokenMissing: 0, tokenInvalid: 190, noSuchObject: 33, invalidParameter: 100 } as const;

/** Meta asks to slow down: whom it means, and how long where it does not say. */
const limits: Readonly<Record<number, { scope: "conversation" | "account"; ms: number }>> = {
  4: { scope: "account", ms: 60_000 },
  80_007: { scope: "account", ms: 60_000 },
  130_429: { scope: "account", ms: 5_000 },
  // One message every six seconds to the same person.
  131_056: { scope: "conversation", ms: 6_000 },
};

/** Meta's own trouble, whatever the HTTP status. */
const passing = new Set([1, 2, 131_000, 131_016, 131_057, 133_004]);
/** Too much was taken for spam: it lasts for hours. */
const spamLimit = 131_048;
const spamWaitMs = 600_000;

const token = "the token is not valid (any more): give WHATSAPP_TOKEN a system user's permanent token";
const hints: Readonly<Record<number, string>> = {
  0: token,
  190: token,
  3: "the app may not do this: check its permissions (whatsapp_business_messaging)",
  10: "the app may not do this: check its permissions (whatsapp_business_messaging)",
  33: "there is no such number or medium: check WHATSAPP_PHONE_NUMBER_ID",
  368: "the account is blocked for a time: see its quality in the WhatsApp Manager",
  130_472: "the person is part of an experiment of Meta's that takes no such messages",
  131_005: "the app may not do this: check its permissions (whatsapp_business_messaging)",
  131_026: "the person cannot get it: the number is not on WhatsApp, or its app is too old",
  131_030: "a test number writes to numbers on its list only: add this one under WhatsApp > API Setup",
  131_031: "the account is blocked: see the WhatsApp Manager",
  131_042: "the account cannot pay: see Billing in the WhatsApp Manager",
  [outsideWindow]:
    "the person has not written for 24 hours: only an approved template may be sent; configure one as `template` of the account",
  131_049: "Meta keeps it back, to spare the person: not before tomorrow",
  131_050: "the person wants no more messages of this kind",
  131_051: "WhatsApp does not take this kind of message",
  131_052: "WhatsApp could not fetch the medium from its address",
  131_053: "WhatsApp does not take this medium: its type, its size or its encoding",
  131_062: "this cannot be sent to a person whose phone number is not known",
  132_000: "the template takes another number of parameters: it needs exactly one in its body",
  132_001: "there is no such template in this language: check `template` of the account",
  132_007: "the template breaks a rule of Meta's",
  132_015: "the template is paused for its quality",
  132_016: "the template is disabled for its quality",
};

export function hintOf(code: number): string | undefined {
  return hints[code] ?? (code >= 200 && code < 300 ? hints[10] : undefined);
}

/** @param secret is kept out of the error. */
export function mapError(error: unknown, operation: string, secret: string): Error {
  if (error instanceof InfrastructureError || error instanceof TerminalError || error instanceof InputError)
    return error;
  if (error instanceof RetryableError) return error;
  const options = { cause: scrubbed(error, secret) };
  if (!(error instanceof GraphError)) return new RetryableError(`whatsapp ${operation}: no answer`, options);
  const { code, status, retryAfterMs } = error;
  const hint = hintOf(code);
  const words = `whatsapp ${operation}: ${code === -1 ? status : code}${hint === undefined ? "" : `, ${hint}`}`;
  const limit = limits[code] ?? (status === 429 ? { scope: "account" as const, ms: 5_000 } : undefined);
  if (limit !== undefined) {
    return new RateLimitedError(words, { ...options, retryAfterMs: retryAfterMs ?? limit.ms, scope: limit.scope });
  }
  if (code === spamLimit) return new RetryableError(words, { ...options, retryAfterMs: retryAfterMs ?? spamWaitMs });
  if (passing.has(code) || status >= 500 || status === 408) {
    return new RetryableError(words, retryAfterMs === undefined ? options : { ...options, retryAfterMs });
  }
  return new TerminalError(words, options);
}

/** Meta did not take the choices in this form: they go out as a numbered text. */
export function isFormRefused(error: unknown): boolean {
  return error instanceof GraphError && error.status === 400 && [100, 131_008, 131_009].includes(error.code);
}

/** Name and words of an error, without the token, quoted text or a person's number. */
function scrubbed(error: unknown, secret: string): Error {
  const words = String((error as Error)?.message ?? error)
    .replaceAll(secret, "…")
    .replace(/"[^"]*"|'[^']*'/g, "…")
    .replace(/\d{7,}/g, "…");
  const clean = new Error(words.slice(0, 300));
  clean.name = error instanceof Error ? error.name : "Error";
  const code = (error as { code?: unknown } | undefined)?.code;
  if (typeof code === "string" && !clean.message.includes(code)) clean.message = `${code} ${clean.message}`;
  return clean;
}
