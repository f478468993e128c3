/**
 * HTTP to a server that the operator named, and to its authorization server. Whatever else these two point at is fetched as an
 * outsider's URL is: never in a private network.
 */
import type { Clock } from "../../../src/ports.ts";
import type { SafeFetch } from "../../../src/fetch.ts";

export interface HttpOptions {
  /** URLs of the operator's: their origins may be anywhere. */
  readonly named: readonly string[];
  readonly safeFetch: SafeFetch;
  /** Of one message; a body that brings a longer one breaks off. */
  readonly mostBytes: number;
  readonly clock: Clock;
  /** The connection on which a request waited for its answer is gone, and cannot be taken up again. */
  readonly lost: (request: string | number) => void;
}

type Fetch = (url: string | URL, init?: RequestInit) => Promise<Response>;

/** What an answer that has come still needs to be read. */
const restMs = 250;

class TooLargeError extends Error {
  override readonly name = "TooLargeError";
}

export function createFetch({ named, safeFetch, mostBytes, clock, lost }: HttpOptions): Fetch {
  const origins = new Set(named.map((url) => new URL(url).origin));

  async function elsewhere(url: string, init: RequestInit): Promise<Response> {
    const method = init.method === "POST" ? "POST" : "GET";
    const { body, headers } = init;
    const text = typeof body === "string" || body instanceof URLSearchParams ? { body: String(body) } : {};
    const { signal } = init;
    const sent = { method, headers: Object.fromEntries(new Headers(headers)), ...text } as const;
    const answer = await safeFetch(url, signal instanceof AbortSignal ? { ...sent, signal } : sent);
    return responseOf(answer.status, answer.headers, new Blob([new Uint8Array(answer.body)]).stream());
  }

  return async function fetchNamed(url, init = {}) {
    const target = new URL(url);
    if (!origins.has(target.origin)) return elsewhere(target.href, init);
    const response = await fetch(target, { ...init, redirect: init.redirect ?? "manual" });
    const { body, headers, status } = response;
    if (body === null) return response;
    const isStream = headers.get("content-type")?.includes("text/event-stream") === true;
    const waits = isStream ? requestOf(init) : undefined;
    const gone = waits === undefined ? undefined : () => void clock.after(restMs, () => lost(waits));
    return responseOf(status, headers, bounded(body, { mostBytes, isStream, gone }));
  };
}

function responseOf(status: number, headers: Headers, body: ReadableStream<Uint8Array>): Response {
  return new Response([204, 205, 304].includes(status) ? null : body, { status, headers });
}

/** The id of the request that a POST carries. */
function requestOf({ method, body }: RequestInit): string | number | undefined {
  if (method !== "POST" || typeof body !== "string") return undefined;
  const { id } = JSON.parse(body) as { id?: unknown };
  return typeof id === "string" || typeof id === "number" ? id : undefined;
}

interface Bounds {
  readonly mostBytes: number;
  readonly isStream: boolean;
  readonly gone: (() => void) | undefined;
}

/** Counts from one event to the next where the body is a stream of events, and all of it otherwise. */
function bounded(body: ReadableStream<Uint8Array>, { mostBytes, isStream, gone }: Bounds): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  let size = 0;
  let resumable = false;
  const end = () => {
    if (!resumable) gone?.();
  };
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { value, done } = await reader.read();
        if (done) {
          end();
          return controller.close();
        }
        const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
        const last = isStream ? Math.max(bytes.lastIndexOf("\n\n"), bytes.lastIndexOf("\r\n\r\n")) : -1;
        // An event with an id can be asked for again: whoever has one takes the stream up.
        if (isStream && /^id: ?\S/m.test(bytes.subarray(0, 256).toString("latin1"))) resumable = true;
        size += last === -1 ? bytes.length : 0;
        if (size > mostBytes) throw new TooLargeError(`a message is larger than ${mostBytes} bytes`);
        if (last !== -1) size = bytes.length - last;
        controller.enqueue(value);
      } catch (error) {
        end();
        reader.cancel().catch(() => undefined);
        controller.error(error);
      }
    },
    cancel: (reason) => reader.cancel(reason),
  });
}
