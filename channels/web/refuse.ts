import type { z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { HTTPException } from "hono/http-exception";
import { InfrastructureError, InputError, RefusedError, TerminalError } from "../../src/errors.ts";

const codes: Readonly<Record<number, string>> = {
  400: "bad_request",
  404: "not_found",
  413: "too_large",
  429: "too_many_uploads",
  507: "storage_full",
};

/** An error in the shape in which the whole API tells of one. */
export function refuse<Status extends number>(
  c: Context,
  status: Status,
  code: string,
  message: string,
  headers: Readonly<Record<string, string>> = {},
) {
  for (const [name, value] of Object.entries(headers)) c.header(name, value);
  return c.json({ error: { code, message } }, status as 400) as never;
}

/** What does not fit a route's schema: the first problem, with the place where it is. */
export function refuseInvalid(result: { success: true } | { success: false; error: z.ZodError }, c: Context) {
  if (result.success) return undefined;
  const [issue] = result.error.issues;
  const where = issue?.path.join(".") ?? "";
  return refuse(c, 400, "bad_request", `${where === "" ? "" : `${where}: `}${issue?.message ?? "not valid"}`);
}

/** What the client did wrong is told, and when to come back; everything else is the server's to tell. */
export function refuseThrown(error: Error, c: Context): Response {
  if (error instanceof HTTPException && error.status < 500) {
    return refuse(c, error.status, codes[error.status] ?? "bad_request", error.message || "Not valid.");
  }
  if (error instanceof RefusedError) return refuse(c, error.status, error.code, error.message, error.headers);
  if (error instanceof InputError) return refuse(c, error.status, codes[error.status] ?? "bad_request", error.message);
  if (error instanceof InfrastructureError) {
    const seconds = Math.max(1, Math.ceil((error.retryAfterMs ?? 1000) / 1000));
    const headers = { "retry-after": String(seconds) };
    return refuse(c, 503, "unavailable", "The gateway cannot take this right now: try again.", headers);
  }
  if (error instanceof TerminalError) return refuse(c, 422, "refused", "The gateway cannot take this, now or later.");
  throw error;
}
