/**
 * What a provider says about its limits, in the headers of OpenAI's API (which most others send too) and in the body of Google's errors.
 *
 * @see https://platform.openai.com/docs/guides/rate-limits, "Rate limits in headers"
 */
import type { Gate } from "./gate.ts";
import type { KeepAliveFetch } from "./fetch.ts";

/** Milliseconds after which the server wants to be asked again, a date by its own clock; undefined: it does not say. */
export function retryAfterOf(headers: Headers): number | undefined {
  const exact = Number.parseFloat(headers.get("retry-after-ms") ?? "");
  if (exact >= 0) return exact;
  const given = headers.get("retry-after");
  if (given === null) return undefined;
  const ms = /^\s*\d+(\.\d+)?\s*$/.test(given)
    ? Number(given) * 1_000
    : Date.parse(given) - Date.parse(headers.get("date") ?? "");
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}

/** Go's durations: "6m0s", "1.5s", "20ms". */
export function durationOf(text: string | null): number | undefined {
  const units: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
  const parts = [...(text ?? "").matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  if (parts.length === 0) return undefined;
  return parts.reduce((sum, [, number, unit]) => sum + Number(number) * (units[unit ?? ""] ?? 0), 0);
}

/** `RetryInfo` among the details of Google's errors: "retryDelay": "31s". */
function delayIn(body: string): number | undefined {
  return durationOf(/"retryDelay"\s*:\s*"([^"]{1,20})"/.exec(body)?.[1] ?? null);
}

/** Nothing is left: milliseconds until one more is there, of a whole that is filled evenly until `reset`. */
function emptyFor(headers: Headers, what: "requests" | "tokens"): number {
  if (headers.get(`x-ratelimit-remaining-${what}`) !== "0") return 0;
  const resetMs = durationOf(headers.get(`x-ratelimit-reset-${what}`)) ?? 0;
  const whole = Number(headers.get(`x-ratelimit-limit-${what}`));
  // A single token is no request: a tenth of the minute's is.
  const one = what === "requests" ? whole : 10;
  return one >= 1 ? resetMs / one : 0;
}

/** A 429 that waiting does not end: the account has no credit left. */
const spent = /"insufficient_quota"/;

/** Tells the gate what the server says of its limits with every answer. */
export function heard(fetch: KeepAliveFetch, gate: Gate): KeepAliveFetch {
  const hearing = async (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
    const response = await fetch(input, init);
    const { headers } = response;
    if (response.status === 429) {
      const body = await response.clone().text();
      if (!spent.test(body)) gate.pause(retryAfterOf(headers) ?? delayIn(body));
    } else if (response.ok && headers.has("x-ratelimit-remaining-requests")) {
      gate.rest(Math.max(emptyFor(headers, "requests"), emptyFor(headers, "tokens")));
    }
    return response;
  };
  return Object.assign(hearing, { Response: fetch.Response });
}
