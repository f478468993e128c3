import type { NewFile } from "./world.ts";

/** One answer of the API. */
export interface Answer {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}
export interface Asked {
  readonly method: string;
  /** Below the version, each part decoded. */
  readonly path: readonly string[];
  readonly query: URLSearchParams;
  readonly body: Record<string, unknown>;
  readonly files: readonly NewFile[];
}
/** Undefined: not this one's route. */
export type Route = (asked: Asked) => Answer | undefined;

export function refusal(status: number, code: number, message: string, errors?: unknown): Answer {
  return { status, body: { message, code, ...(errors === undefined ? {} : { errors }) } };
}
export const unknown = {
  channel: refusal(404, 10_003, "Unknown Channel"),
  message: refusal(404, 10_008, "Unknown Message"),
  webhook: refusal(404, 10_015, "Unknown Webhook"),
  interaction: refusal(404, 10_062, "Unknown interaction"),
} as const;

export function limited(retryAfter: number, global: boolean): Answer {
  return {
    status: 429,
    body: { message: "You are being rate limited.", retry_after: retryAfter, global },
    headers: {
      "retry-after": String(retryAfter),
      "x-ratelimit-scope": global ? "global" : "user",
      ...(global ? { "x-ratelimit-global": "true" } : {}),
    },
  };
}
