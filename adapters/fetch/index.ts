import { RetryableError, TerminalError } from "../../src/errors.ts";
import { type SafeFetch, type SafeRequest, type SafeResponse, TargetRefusedError } from "../../src/fetch.ts";
import { type Exchange, exchange } from "./exchange.ts";
import { createTargets, type Resolve } from "./target.ts";

export interface SafeFetchOptions {
  /** Hosts that may be private: names, or names with a port. WEBHOOK_ALLOW_HOSTS. */
  readonly allowHosts?: readonly string[];
  /** Default 15 s. */
  readonly timeoutMs?: number;
  /** Default 1 MiB. */
  readonly maxBytes?: number;
  /** Default 3. */
  readonly maxRedirects?: number;
  readonly resolve?: Resolve;
}

const redirects = new Set([301, 302, 303, 307, 308]);
/** Not sent on to another origin. */
const confidential = new Set(["authorization", "cookie", "proxy-authorization"]);

export function createSafeFetch(options: SafeFetchOptions = {}): SafeFetch {
  const { allowHosts = [], timeoutMs = 15_000, maxBytes = 1 << 20, maxRedirects = 3, resolve } = options;
  const targetOf = createTargets(allowHosts, resolve);

  async function safeFetch(url: string, request: SafeRequest = {}): Promise<SafeResponse> {
    const limitMs = request.timeoutMs ?? timeoutMs;
    const deadline = AbortSignal.timeout(limitMs);
    const signal = request.signal === undefined ? deadline : AbortSignal.any([deadline, request.signal]);
    try {
      return await abortable(follow(url, request, signal), signal);
    } catch (error) {
      request.signal?.throwIfAborted();
      if (deadline.aborted) throw new RetryableError(`no full answer within ${limitMs} ms`, { cause: error });
      throw error;
    }
  }

  async function follow(first: string, request: SafeRequest, signal: AbortSignal): Promise<SafeResponse> {
    const most = request.maxBytes ?? maxBytes;
    let target = await targetOf(first);
    let sent = request;
    for (let hop = 0; ; hop++) {
      const answer = await exchange(target, sent, most, signal);
      const next = locationOf(answer, sent, target.url);
      if (next === undefined) return { ...answer, url: target.url.href };
      if (hop >= maxRedirects) throw new TerminalError(`more than ${maxRedirects} redirects`);
      if (target.url.protocol === "https:" && next.protocol === "http:") {
        throw new TargetRefusedError("it redirects from https to http");
      }
      if (next.origin !== target.url.origin) sent = { ...sent, headers: withoutConfidential(sent.headers) };
      target = await targetOf(next.href);
    }
  }

  return Object.assign(safeFetch, {
    async refusal(url: string): Promise<string | undefined> {
      try {
        await targetOf(url);
        return undefined;
      } catch (error) {
        if (error instanceof TargetRefusedError || error instanceof RetryableError) return error.message;
        throw error;
      }
    },
  });
}

function locationOf(answer: Exchange, request: SafeRequest, from: URL): URL | undefined {
  const location = answer.headers.get("location");
  if (request.method === "POST" || location === null || !redirects.has(answer.status)) return undefined;
  return URL.parse(location, from.href) ?? undefined;
}

function withoutConfidential(headers: Readonly<Record<string, string>> = {}): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !confidential.has(name.toLowerCase())));
}

/** A look-up cannot be aborted; its caller can be let go. */
function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason instanceof Error ? signal.reason : new Error("aborted"));
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
