/**
 * What a model's failure means, in the core's error classes.
 *
 * The vendor's own words are dropped: they may quote the key or the message. What is kept is the status and the vendor's
 * code, and what the operator can do about it.
 */
import { ModelBehaviorError } from "@openai/agents";
import { APIConnectionError, APIConnectionTimeoutError, APIError } from "openai";
import { InputError, UnacceptableError, RetryableError, TerminalError } from "../../src/errors.ts";
import { SilentStreamError } from "./fetch.ts";
import { retryAfterOf } from "./said.ts";
import { keyNames, type Vendor } from "./spec.ts";

/** What keeps a model from answering any request. */
export type Trouble = "limit" | "spent" | "failing" | "timeout" | "connection" | "key" | "missing";

/** The model cannot be had now: another one may answer the same request. */
export class UnavailableError extends TerminalError {
  override readonly name = "UnavailableError";
  readonly trouble: Trouble;
  readonly retryAfterMs: number | undefined;

  constructor(message: string, options: ErrorOptions & { trouble: Trouble; retryAfterMs?: number | undefined }) {
    super(message, options);
    this.trouble = options.trouble;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** More than this model takes at once; another may take more. */
export class TooLongError extends UnacceptableError {}

export interface FailureContext {
  /** As configured: `openai:gpt-5`. */
  readonly spec: string;
  readonly vendor: Vendor;
  /** Host and port of the server. */
  readonly host: string;
  readonly timeoutMs: number;
  /** Requests that were made before it is given up. */
  readonly tries: number;
}

/**
 * TerminalError: the client's retries are used up or cannot help, UnacceptableError among them: another request may pass. RetryableError: the server answered, but with something
 * that is no answer (garbage, half a stream); the same request may succeed. Never called for an abort by the caller.
 */
export function failureOf(error: unknown, context: FailureContext): Error {
  if (error instanceof TerminalError || error instanceof RetryableError || error instanceof InputError) return error;
  const { spec, host, tries } = context;
  const times = tries === 1 ? "once" : `${tries} times`;
  if (error instanceof APIConnectionTimeoutError) {
    return new UnavailableError(`${spec} did not answer within ${seconds(context)}; asked ${times}`, {
      trouble: "timeout",
    });
  }
  if (error instanceof APIConnectionError) {
    const code = networkCode(error);
    const options = { trouble: "connection", cause: kept(code) } as const;
    return new UnavailableError(`${spec}: no connection to ${host} (${code}); tried ${times}`, options);
  }
  if (error instanceof APIError && typeof error.status === "number") return ofStatus(error, error.status, context);
  if (error instanceof APIError) {
    const code = word(error.code) ?? word(error.type) ?? "no code";
    return new RetryableError(`${spec} broke its stream off with an error (${code})`, { cause: kept(code) });
  }
  if (error instanceof ModelBehaviorError && /incomplete|'length'/.test(error.message)) {
    return new TerminalError(`${spec} reached its token limit before it had an answer; raise the agent's maxTokens`);
  }
  if (error instanceof SilentStreamError) {
    return new RetryableError(`${spec} fell silent for ${seconds(context)} in its answer`);
  }
  const code = networkCode(error);
  return new RetryableError(`${spec} gave an answer that cannot be read`, { cause: kept(code) });
}

function ofStatus(error: APIError, status: number, context: FailureContext): TerminalError {
  const { spec, vendor, host, tries } = context;
  const codes = [word(error.code) ?? word(error.type), word(error.param)].filter((part) => part !== undefined);
  const http = `HTTP ${[status, ...codes].join(" ")}`;
  const cause = kept(http);
  const times = tries === 1 ? "once" : `${tries} times`;
  const unavailable = (trouble: Trouble, words: string) =>
    new UnavailableError(`${spec}: ${host} ${words}`, {
      trouble,
      cause,
      retryAfterMs: error.headers && retryAfterOf(error.headers),
    });
  if (status === 401 || status === 403)
    return unavailable("key", `refused the key (${http}); check ${keyNames[vendor]}`);
  if (status === 404) return unavailable("missing", `has no such model or no such path (${http})`);
  if (status === 429) {
    const trouble = codes.includes("insufficient_quota") ? "spent" : "limit";
    return unavailable(trouble, `allows no more requests for now (${http}); asked ${times}; check the plan's limits`);
  }
  if (status >= 500 || status === 408 || status === 409)
    return unavailable("failing", `is failing (${http}); asked ${times}`);
  const words = `${spec}: ${host} does not take the request (${http})`;
  // Servers that speak OpenAI's protocol say it in words of their own.
  const long = tooLong.test(`${error.code ?? ""} ${error.type ?? ""} ${error.message}`);
  return long ? new TooLongError(words, { cause }) : new UnacceptableError(words, { cause });
}

const tooLong =
  /context_length_exceeded|exceed_context_size|context (?:length|size|window)|input token count .*exceed/i;

function seconds({ timeoutMs }: FailureContext): string {
  return `${Number((timeoutMs / 1000).toPrecision(2))} s`;
}

/** A cause that may be logged: words of a fixed alphabet only. */
function kept(text: string): Error {
  return new Error(text);
}

/** A vendor's code, where it looks like one and not like a sentence or a key. */
function word(value: unknown): string | undefined {
  return typeof value === "string" && /^[a-z][\w.[\]-]{0,59}$/i.test(value) && !value.startsWith("sk-")
    ? value
    : undefined;
}

/** "ECONNREFUSED" and the like, from the error or what caused it; else the error's class. */
export function networkCode(error: unknown): string {
  for (let at = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth += 1) {
    const code = (at as NodeJS.ErrnoException).code;
    if (typeof code === "string" && /^[A-Z][A-Z0-9_]{2,40}$/.test(code)) return code;
  }
  return error instanceof Error ? error.constructor.name : typeof error;
}
