import { backoff } from "./backoff.ts";
import type { Attachment, History, Outgoing, Session, Thumb } from "./wire.ts";

/** The gateway answered, and the answer is no. */
export class HttpError extends Error {
  readonly status: number;
  readonly code: string;
  /** Milliseconds the gateway asked to wait, from Retry-After. */
  readonly retryAfter: number | undefined;

  constructor(status: number, code: string, message: string, retryAfter: number | undefined) {
    super(message);
    this.name = "HttpError";
    this.status = status;
    this.code = code;
    this.retryAfter = retryAfter;
  }
}

/** Refused though other requests are not: no room for files, or this session's share of them is used up. */
const isNoRoom = ({ status, code }: HttpError): boolean => status === 507 || code === "too_many_uploads";

/** Trying again cannot help, or not soon: the gateway understood the request and refuses it. */
export const isRefusal = (error: unknown): error is HttpError =>
  error instanceof HttpError &&
  (isNoRoom(error) || (error.status >= 400 && error.status < 500 && ![401, 408, 425, 429].includes(error.status)));

const isForgotten = (error: unknown): boolean => error instanceof HttpError && error.status === 401;

export type Client = {
  readonly session: () => Promise<Session>;
  readonly history: (before?: string) => Promise<History>;
  readonly send: (message: Outgoing) => Promise<void>;
  readonly rate: (message: string, thumb: Thumb | null, words?: string) => Promise<void>;
  readonly upload: (file: Blob, name: string, type: string) => Promise<Attachment>;
  readonly stop: () => Promise<void>;
  readonly reset: () => Promise<void>;
  /** The response's body stays open; the caller aborts it. `after` serves the first connection, `lastEventId` later ones. */
  readonly events: (from: { after: string; lastEventId: string | undefined }, signal: AbortSignal) => Promise<Response>;
};

type Options = {
  readonly fetch: typeof fetch;
  /** Called with every session answer, also with those that a 401 made necessary. */
  readonly onSession: (session: Session) => void;
  readonly now: () => number;
};

const requestTimeout = 30_000;
const uploadTimeout = 300_000;

/** Retry-After holds seconds or an HTTP date. */
export const retryAfter = (value: string | null, now: number): number | undefined => {
  if (value === null || value.trim() === "") return undefined;
  const seconds = Number(value);
  const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(value) - now;
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
};

const httpError = async (response: Response, now: number): Promise<HttpError> => {
  const body = (await response.json().catch(() => undefined)) as
    | { error?: { code?: unknown; message?: unknown } }
    | undefined;
  const code = typeof body?.error?.code === "string" ? body.error.code : `http_${response.status}`;
  const message =
    typeof body?.error?.message === "string"
      ? body.error.message
      : `The gateway answered with status ${response.status}.`;
  return new HttpError(response.status, code, message, retryAfter(response.headers.get("retry-after"), now));
};

/** URLs are relative to the page, so that the gateway may be served below a path. */
export const httpClient = ({ fetch, onSession, now }: Options): Client => {
  let renewing: Promise<Session> | undefined;

  const once = async (path: string, init: RequestInit, timeout: number): Promise<Response> => {
    const signal = init.signal ?? AbortSignal.timeout(timeout);
    const response = await fetch(path, { credentials: "same-origin", cache: "no-store", ...init, signal });
    if (!response.ok) throw await httpError(response, now());
    return response;
  };

  /** Sessions in a row that the gateway did not recognize afterwards: the browser keeps no cookie of ours. */
  let forgotten = 0;

  const session = (): Promise<Session> => {
    renewing ??= (async () => {
      try {
        if (forgotten > 0) await new Promise((resolve) => setTimeout(resolve, backoff(forgotten)));
        const response = await once("api/session", { method: "POST" }, requestTimeout);
        const answer = (await response.json()) as Session;
        onSession(answer);
        return answer;
      } finally {
        renewing = undefined;
      }
    })();
    return renewing;
  };

  const request = async (path: string, init: RequestInit = {}, timeout = requestTimeout): Promise<Response> => {
    try {
      const response = await once(path, init, timeout);
      forgotten = 0;
      return response;
    } catch (error) {
      if (!isForgotten(error)) throw error;
      await session();
    }
    try {
      return await once(path, init, timeout);
    } catch (error) {
      if (!isForgotten(error)) throw error;
      forgotten++;
      throw new HttpError(
        401,
        "no_cookie",
        "This browser does not keep this page's cookie: allow it to chat here.",
        undefined,
      );
    }
  };

  const json = { "content-type": "application/json" };
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  return {
    session,
    history: async (before) => {
      const query = before === undefined ? "" : `?before=${encodeURIComponent(before)}`;
      return (await (await request(`api/messages${query}`)).json()) as History;
    },
    send: async (message) => {
      const headers = { ...json, "x-time-zone": timeZone };
      await request("api/messages", { method: "POST", headers, body: JSON.stringify(message) });
    },
    rate: async (message, thumb, words) => {
      const body = JSON.stringify({ thumb, ...(words === undefined ? {} : { words }) });
      const path = `api/messages/${encodeURIComponent(message)}/feedback`;
      await request(path, { method: "POST", headers: json, body });
    },
    upload: async (file, name, type) => {
      const path = `api/attachments?name=${encodeURIComponent(name)}`;
      const init = { method: "POST", headers: { "content-type": type || "application/octet-stream" }, body: file };
      return (await (await request(path, init, uploadTimeout)).json()) as Attachment;
    },
    stop: async () => {
      await request("api/stop", { method: "POST" });
    },
    reset: async () => {
      await request("api/reset", { method: "POST" });
    },
    events: ({ after, lastEventId }, signal) => {
      const query = lastEventId === undefined ? `?after=${encodeURIComponent(after)}` : "";
      const headers = {
        accept: "text/event-stream",
        ...(lastEventId === undefined ? {} : { "last-event-id": lastEventId }),
      };
      return request(`api/events${query}`, { headers, signal });
    },
  };
};
