/**
 * HTTP to targets that outsiders name: callback URLs, media links, push addresses. `adapters/fetch` implements it.
 *
 * Whatever the URL says, the request never reaches an address that is not public, unless the operator allowed the host by name.
 */
import { TerminalError } from "./errors.ts";

export interface SafeRequest {
  /** Default "GET". Only a GET follows redirects; every hop is checked like the first. */
  readonly method?: "GET" | "POST";
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** For everything: look-up, connection, redirects and body. */
  readonly timeoutMs?: number;
  /** The most bytes taken of the response; 0: the body is not read at all. */
  readonly maxBytes?: number;
  readonly signal?: AbortSignal;
}

export interface SafeResponse {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Uint8Array;
  /** Where the last redirect led. */
  readonly url: string;
}

export interface SafeFetch {
  /**
   * @throws TargetRefusedError where the URL leads to no public address; TerminalError for a response over `maxBytes` or a
   *   redirect too many; RetryableError for anything on the way; the reason of `signal` when it aborts.
   */
  (url: string, request?: SafeRequest): Promise<SafeResponse>;
  /** Why this URL would be refused, in words safe to show; undefined for one that would be tried. Opens no connection. */
  refusal(url: string): Promise<string | undefined>;
}

/** `message` is safe to show to whoever gave the URL. */
export class TargetRefusedError extends TerminalError {
  override readonly name = "TargetRefusedError";
}

const longestWaitMs = 3_600_000;

/** When the other side wants to be asked again: its Retry-After, seconds or an HTTP date; an hour at most. */
export function retryAfterOf(headers: Headers, nowMs: number): number | undefined {
  const header = headers.get("retry-after");
  if (header === null || header.trim() === "") return undefined;
  const seconds = Number(header);
  const ms = Number.isFinite(seconds) ? seconds * 1_000 : Date.parse(header) - nowMs;
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), longestWaitMs) : undefined;
}
