/**
 * grammY's Bot API client over a thin HTTP client: a send costs half of the CPU that it costs through node-fetch. Its web build
 * does not bring that along, which would be a tenth of the gateway's start.
 */
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { Readable } from "node:stream";
import { Api, type ApiClientOptions } from "grammy/web";
import type { TelegramOptions } from "./settings.ts";

export interface TelegramApi {
  /** Every call ends within 30 seconds. */
  readonly calls: Api;
  /** Uploads: ten minutes. */
  readonly uploads: Api;
  /** getUpdates: longer than it polls. */
  readonly polls: Api;
  /** A file's bytes as they come. Rejects when the answer's head is not there within 30 seconds. */
  download(path: string, signal: AbortSignal): Promise<IncomingMessage>;
  close(): void;
}

/** grammY's types name the AbortSignal of a polyfill; it takes the platform's own. */
export function asSignal(signal: AbortSignal): Parameters<Api["getMe"]>[0] {
  return signal as unknown as Parameters<Api["getMe"]>[0];
}

/** @see https://core.telegram.org/bots/api#making-requests */
export function createApi({ token, apiRoot, pollSeconds }: TelegramOptions): TelegramApi {
  const http = createHttp(apiRoot);
  const withDeadline = (timeoutSeconds: number) =>
    new Api(token, { apiRoot, timeoutSeconds, fetch: http.fetch as unknown as NonNullable<ApiClientOptions["fetch"]> });
  return {
    calls: withDeadline(30),
    uploads: withDeadline(600),
    polls: withDeadline(pollSeconds + 15),
    download: (path, signal) => http.get(`${apiRoot}/file/bot${token}/${path}`, signal, 30_000),
    close: http.close,
  };
}

/** What grammY gives its fetch, and what it uses of the response. */
interface Init {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Parameters<typeof Readable.fromWeb>[0];
  readonly signal: AbortSignal;
}

function createHttp(root: string) {
  const { protocol, hostname, port, origin } = new URL(root);
  const secure = protocol === "https:";
  const agent = secure ? new HttpsAgent({ keepAlive: true }) : new HttpAgent({ keepAlive: true });
  const send = secure ? httpsRequest : httpRequest;
  const target = { agent, hostname: hostname.replace(/^\[|\]$/g, ""), port };

  return {
    fetch(url: string, { method, headers, body, signal }: Init): Promise<{ json(): unknown }> {
      return new Promise((resolve, reject) => {
        const whole = typeof body === "string";
        const request = send({
          ...target,
          method,
          path: url.slice(origin.length),
          headers: whole ? { ...headers, "content-length": Buffer.byteLength(body) } : headers,
        });
        const abort = () => request.destroy(new Error("aborted"));
        const fail = (error: Error) => {
          signal.removeEventListener("abort", abort);
          reject(error);
        };
        signal.addEventListener("abort", abort);
        request.on("error", fail);
        request.on("response", (response) => {
          const chunks: Buffer[] = [];
          response.on("data", (chunk: Buffer) => chunks.push(chunk));
          response.on("error", fail);
          response.on("end", () => {
            signal.removeEventListener("abort", abort);
            resolve({
              json: () => JSON.parse((chunks.length === 1 ? chunks[0] : Buffer.concat(chunks))?.toString() ?? ""),
            });
          });
        });
        if (whole) request.end(body);
        else Readable.fromWeb(body).on("error", abort).pipe(request);
        if (signal.aborted) abort();
      });
    },

    get(url: string, signal: AbortSignal, headMs: number): Promise<IncomingMessage> {
      return new Promise((resolve, reject) => {
        const request = send({ ...target, method: "GET", path: url.slice(origin.length), signal });
        const timer = setTimeout(() => request.destroy(new Error("timed out")), headMs);
        request.on("error", (error) => (clearTimeout(timer), reject(error)));
        request.on("response", (response) => (clearTimeout(timer), resolve(response)));
        request.end();
      });
    },

    close: () => agent.destroy(),
  };
}
