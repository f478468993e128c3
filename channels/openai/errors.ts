/** Errors in the shape that clients of this API know: `{ error: { message, type, param, code } }`. */
import { InfrastructureError, InputError, reasonOf, RefusedError, TerminalError } from "../../src/errors.ts";
import type { Log } from "../../src/ports.ts";

export interface Problem {
  readonly message: string;
  readonly type: string;
  readonly param: string | null;
  readonly code: string | null;
}

/** What the caller did wrong, with the parameter where it is. */
export class RequestError extends InputError {
  readonly param: string | null;
  readonly code: string | null;

  constructor(message: string, options: ErrorOptions & { status?: number; param?: string; code?: string } = {}) {
    super(message, options);
    this.param = options.param ?? null;
    this.code = options.code ?? null;
  }
}

const types: Readonly<Record<number, string>> = {
  401: "authentication_error",
  403: "permission_error",
  429: "rate_limit_error",
  500: "server_error",
  503: "server_error",
  504: "server_error",
};

export function problem(status: number, message: string, param: string | null, code: string | null): Problem {
  return { message, type: types[status] ?? "invalid_request_error", param, code };
}

export function refuse(
  status: number,
  code: string | null,
  message: string,
  headers: Readonly<Record<string, string>> = {},
  param: string | null = null,
): Response {
  return Response.json({ error: problem(status, message, param, code) }, { status, headers });
}

/** What was thrown, as the caller may see it. @throws what nobody foresaw. */
export function refuseThrown(error: unknown, log: Log, account: string): Response {
  if (error instanceof RefusedError) return refuse(error.status, error.code, error.message, error.headers);
  const input = inputErrorOf(error);
  if (input !== undefined) {
    const { status, message } = input;
    const { param, code } =
      input instanceof RequestError ? input : { param: null, code: status === 413 ? "too_large" : null };
    return refuse(status, code, message, {}, param);
  }
  if (error instanceof InfrastructureError) {
    log.warn({ account, reason: reasonOf(error) }, "openai: refused for now");
    const seconds = Math.max(1, Math.ceil((error.retryAfterMs ?? 1000) / 1000));
    const headers = { "retry-after": String(seconds) };
    return refuse(503, "unavailable", "The gateway cannot take this right now: try again.", headers);
  }
  if (error instanceof TerminalError) {
    log.error({ account, reason: reasonOf(error) }, "openai: refused for good");
    return refuse(422, "refused", "The gateway cannot take this, now or later.");
  }
  throw error;
}

/** The server's own limit comes back wrapped by whatever did the reading. */
function inputErrorOf(error: unknown): InputError | undefined {
  for (let at = error, depth = 0; at instanceof Error && depth < 4; at = at.cause, depth++) {
    if (at instanceof InputError) return at;
  }
  return undefined;
}
