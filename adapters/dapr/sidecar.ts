/**
 * The hot path to the sidecar: HTTP over kept-alive connections of node:http, which costs a third of what fetch or
 * Dapr's own client do. Every call has a deadline, since calls hang while placement is down.
 */
import { Agent, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { InfrastructureError } from "../../src/errors.ts";

export interface Answer {
  readonly status: number;
  readonly body: string;
  readonly etag: string | undefined;
}

export interface Call {
  readonly body?: string;
  /** "application/json" unless given. */
  readonly type?: string;
  readonly deadlineMs?: number;
}

export interface Sidecar {
  /** Any status resolves. @throws InfrastructureError where no answer came: the call may have been carried out. */
  call(method: "GET" | "POST" | "PUT" | "DELETE", path: string, call?: Call): Promise<Answer>;
  close(): void;
}

export interface SidecarOptions {
  /** http://host:port */
  readonly url: string;
  /** The sidecar's own token, where it wants one. */
  readonly token: string | undefined;
}

/** Says that the components are there; the application need not be. */
export const componentsWell = "/v1.0/healthz/outbound";

const usualDeadlineMs = 10_000;
const mostSockets = 512;

export function connectSidecar({ url, token }: SidecarOptions): Sidecar {
  const { hostname, port } = new URL(url);
  const agent = new Agent({ keepAlive: true, maxSockets: mostSockets, scheduling: "lifo" });
  const secured = token === undefined ? {} : { "dapr-api-token": token };

  return {
    call(method, path, { body, type = "application/json", deadlineMs = usualDeadlineMs } = {}) {
      return new Promise((resolve, reject) => {
        const failed = (error: Error) =>
          reject(new InfrastructureError(`The sidecar does not answer ${method} ${place(path)}.`, { cause: error }));
        const headers =
          body === undefined
            ? secured
            : { ...secured, "content-type": type, "content-length": Buffer.byteLength(body).toString() };
        const sent = request({ agent, hostname, port, method, path, headers }, (response) => {
          let text = "";
          response.setEncoding("utf8");
          response.on("data", (chunk: string) => (text += chunk));
          response.on("error", failed);
          response.on("end", () => {
            clearTimeout(deadline);
            const { etag } = response.headers;
            resolve({ status: response.statusCode ?? 0, body: text, etag });
          });
        });
        const deadline = setTimeout(() => sent.destroy(new Error(`no answer within ${deadlineMs} ms`)), deadlineMs);
        sent.on("error", (error) => {
          clearTimeout(deadline);
          failed(error);
        });
        sent.end(body);
      });
    },
    close: () => agent.destroy(),
  };
}

/** A sidecar that is started together with the gateway may take so long. */
const startMs = 60_000;
const pollMs = 100;

/** Waits until the sidecar's components are there. @throws Error that says what to do where it does not answer. */
export async function awaitComponents(sidecar: Sidecar, url: string): Promise<void> {
  const until = performance.now() + startMs;
  for (;;) {
    const answer = await sidecar.call("GET", componentsWell, { deadlineMs: 2_000 }).catch(() => undefined);
    if (answer?.status === 204) return;
    if (performance.now() > until)
      throw new Error(
        `No Dapr sidecar answers at ${url}: start one beside the gateway (npm run dapr does), or correct DAPR_HTTP_PORT or ` +
          "DAPR_HTTP_ENDPOINT.",
      );
    await sleep(pollMs);
  }
}

/** What an unexpected answer means. The sidecar's error code is told, never its message, which may carry content. */
export function unexpected(what: string, { status, body }: Answer): InfrastructureError {
  return new InfrastructureError(`${what}: the sidecar answered ${status} ${errorCodeOf(body)}`);
}

export function errorCodeOf(body: string): string {
  return /"errorCode"\s*:\s*"([A-Z_0-9]+)"/.exec(body)?.[1] ?? "";
}

/** The path without the ids in it. */
function place(path: string): string {
  return path.split("/").slice(0, 4).join("/");
}
