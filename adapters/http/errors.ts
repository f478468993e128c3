import { InfrastructureError, InputError, reasonOf } from "../../src/errors.ts";
import type { Log } from "../../src/ports.ts";

/** The one shape in which this gateway tells of an error over HTTP. */
export function errorResponse(
  status: number,
  code: string,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return Response.json({ error: { code, message } }, { status, headers });
}

const codes: Readonly<Record<number, string>> = {
  400: "bad_request",
  401: "unauthorized",
  403: "forbidden",
  404: "not_found",
  405: "method_not_allowed",
  409: "conflict",
  410: "gone",
  413: "too_large",
  415: "unsupported_media_type",
  429: "too_many_requests",
};

/** What a handler threw, as the client may see it: an InputError's own words, a time to come back, or nothing of the inside. */
export function responseOf(error: unknown, log: Log): Response {
  const input = inputErrorOf(error);
  if (input !== undefined) return errorResponse(input.status, codes[input.status] ?? "bad_request", input.message);
  if (error instanceof InfrastructureError) {
    log.warn({ reason: reasonOf(error) }, "request refused for now");
    const seconds = Math.max(1, Math.ceil((error.retryAfterMs ?? 1000) / 1000));
    return unavailable("unavailable", "The gateway cannot take this right now: try again.", seconds);
  }
  log.error({ reason: reasonOf(error), stack: error instanceof Error ? error.stack : undefined }, "request failed");
  return errorResponse(500, "internal", "The gateway failed here; its log has the cause.");
}

export function unavailable(code: string, message: string, retryAfterSeconds: number): Response {
  return errorResponse(503, code, message, { "retry-after": String(retryAfterSeconds) });
}

/** A body limit that was passed while a handler read the body comes back wrapped by whatever did the reading. */
function inputErrorOf(error: unknown): InputError | undefined {
  for (let at = error, depth = 0; at instanceof Error && depth < 4; at = at.cause, depth++) {
    if (at instanceof InputError) return at;
  }
  return undefined;
}
