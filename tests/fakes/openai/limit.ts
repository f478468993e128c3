/** Requests that are taken within any window of time; what is more is refused. @see "Rate limits in headers" of OpenAI's API */
export interface RateLimit {
  readonly requests: number;
  /** A minute unless given. */
  readonly windowMs?: number;
  /** How long the second of Retry-After is: for tests in which time goes faster. */
  readonly secondMs?: number;
}

export interface Limiter {
  /** Counts a request where it is taken. The headers are those of the answer, whichever it is. */
  take(now: number): { readonly taken: boolean; readonly headers: Readonly<Record<string, string>> };
}

export function createLimiter({ requests, windowMs = 60_000, secondMs = 1_000 }: RateLimit): Limiter {
  let times: number[] = [];
  const seconds = (ms: number) => (ms / secondMs).toFixed(3);
  return {
    take(now) {
      times = times.filter((at) => at > now - windowMs);
      const taken = times.length < requests;
      if (taken) times.push(now);
      const free = (times[times.length - requests] ?? now) + windowMs - now;
      const headers = {
        "x-ratelimit-limit-requests": String(requests),
        "x-ratelimit-remaining-requests": String(Math.max(0, requests - times.length)),
        "x-ratelimit-reset-requests": `${seconds((times.at(-1) ?? now) + windowMs - now)}s`,
      };
      return { taken, headers: taken ? headers : { ...headers, "retry-after": seconds(free) } };
    },
  };
}
