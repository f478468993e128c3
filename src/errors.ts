/**
 * The error's class decides the fate of what failed, and {@link fateOf} is the only place that decides it.
 *
 * An error names what was tried and keeps its cause; it never carries a secret or the text of a message.
 */

/** Retrying cannot help: the request itself is wrong, the chat is gone, the bot is blocked. */
export class TerminalError extends Error {
  override readonly name: string = "TerminalError";
}

/** The other side does not take this request as it is; a different one it may take. */
export class UnacceptableError extends TerminalError {
  override readonly name = "UnacceptableError";
}

/** So many ask that this would take too long: the person is told to come back. */
export class BusyError extends TerminalError {
  override readonly name = "BusyError";
}

/** Worth another try, after the usual backoff or after `retryAfterMs` where the other side said so. */
export class RetryableError extends Error {
  override readonly name: string = "RetryableError";
  readonly retryAfterMs: number | undefined;

  constructor(message: string, options: ErrorOptions & { retryAfterMs?: number } = {}) {
    super(message, options);
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** The other side asked to slow down: for one chat, or for the whole account. Never counts as a failed attempt. */
export class RateLimitedError extends RetryableError {
  override readonly name = "RateLimitedError";
  readonly scope: "conversation" | "account";

  constructor(message: string, options: ErrorOptions & { retryAfterMs: number; scope?: "conversation" | "account" }) {
    super(message, options);
    this.scope = options.scope ?? "conversation";
  }
}

/** Our own bus, store or sidecar failed. Never counts as a failed attempt of the message. */
export class InfrastructureError extends RetryableError {
  override readonly name: string = "InfrastructureError";
}

/** More than this gateway can hold: the sender is told to come back (503 with Retry-After) before anything is accepted. */
export class OverloadedError extends InfrastructureError {
  override readonly name = "OverloadedError";
}

/** The record was changed by somebody else since it was read. */
export class ConflictError extends Error {
  override readonly name = "ConflictError";
}

/** What came in from outside is not valid; `message` says what to do and is safe to show. */
export class InputError extends Error {
  override readonly name = "InputError";
  readonly status: number;

  constructor(message: string, options: ErrorOptions & { status?: number } = {}) {
    super(message, options);
    this.status = options.status ?? 400;
  }
}

/** A rule keeps a message out; the words say what its sender may know. Nothing but its entry in the journal is kept of it. */
export class RefusedError extends InputError {
  readonly rule: string;
  readonly retryAfterMs: number | undefined;

  constructor(message: string, options: { rule: string; retryAfterMs?: number | undefined }) {
    super(message, { status: options.retryAfterMs === undefined ? 403 : 429 });
    this.rule = options.rule;
    this.retryAfterMs = options.retryAfterMs;
  }

  /** The rule as a code of an HTTP API. */
  get code(): string {
    return this.rule.replaceAll(" ", "_");
  }

  get headers(): Readonly<Record<string, string>> {
    if (this.retryAfterMs === undefined) return {};
    return { "retry-after": String(Math.max(1, Math.ceil(this.retryAfterMs / 1_000))) };
  }
}

export type Fate =
  | { readonly kind: "terminal" }
  /** `counts`: an attempt is used up; `afterMs`: absent means the usual backoff. */
  | { readonly kind: "retry"; readonly counts: boolean; readonly afterMs?: number };

/** Unknown errors are retried and counted: a poison message ends in the dead letters after its attempts. */
export function fateOf(error: unknown): Fate {
  if (error instanceof TerminalError || error instanceof InputError) return { kind: "terminal" };
  const counts = !(error instanceof RateLimitedError || error instanceof InfrastructureError);
  if (error instanceof RetryableError && error.retryAfterMs !== undefined) {
    return { kind: "retry", counts, afterMs: error.retryAfterMs };
  }
  return { kind: "retry", counts };
}

/** The error and its causes in one line, for a log or a dead letter. */
export function reasonOf(error: unknown): string {
  const reasons: string[] = [];
  for (let at = error; at !== undefined && reasons.length < 5; at = at instanceof Error ? at.cause : undefined) {
    reasons.push(at instanceof Error ? `${at.name}: ${at.message}` : String(at));
  }
  return reasons.join(" ← ");
}
