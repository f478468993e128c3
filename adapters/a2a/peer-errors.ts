/** What the protocol's client throws, as errors whose class decides what comes of it. */
import {
  A2AError,
  ContentTypeNotSupportedError,
  ExtensionSupportRequiredError,
  PushNotificationNotSupportedError,
  RequestMalformedError,
  TaskNotFoundError,
  UnsupportedOperationError,
  VersionNotSupportedError,
} from "@a2a-js/sdk/errors";
import { InputError, RetryableError, TerminalError } from "../../src/errors.ts";

/** It was not sent: there was no connection. */
export class NotReachedError extends RetryableError {
  override readonly name = "NotReachedError";
}

const refusals = [
  ContentTypeNotSupportedError,
  ExtensionSupportRequiredError,
  PushNotificationNotSupportedError,
  RequestMalformedError,
  TaskNotFoundError,
  UnsupportedOperationError,
  VersionNotSupportedError,
];
/** Of the peer's own words. */
const longest = 300;

export function peerError(peer: string, error: unknown): Error {
  for (let at = error; at instanceof Error; at = at.cause as unknown) {
    if (at instanceof TerminalError || at instanceof RetryableError || at instanceof InputError) return at;
    if (refusals.some((kind) => at instanceof kind))
      return new InputError(at.message.replace(/\s+/g, " ").slice(0, longest), { cause: error });
  }
  // Its words may be anything: they are left out of the log.
  const why = error instanceof A2AError ? "it failed" : "it was not reached, or its answer cannot be read";
  return new RetryableError(`agent "${peer}": ${why}`, { cause: error instanceof A2AError ? undefined : error });
}

/** A peer is spoken to at the addresses that it is allowed, without being led elsewhere, and says no more than is read. */
export function boundedFetch(peer: string, send: typeof fetch, mostBytes: number): typeof fetch {
  return async (input, init) => {
    const response = await send(input, { ...init, redirect: "error" }).catch((error: unknown) => {
      throw hasNotBegun(error) ? new NotReachedError(`agent "${peer}" was not reached`, { cause: error }) : error;
    });
    const { status } = response;
    if (status === 401 || status === 403) throw new TerminalError(`agent "${peer}" does not take the key (${status})`);
    if (status === 429 || status === 500 || status > 501) {
      await response.body?.cancel();
      throw new RetryableError(`agent "${peer}" answered ${status}`);
    }
    if (response.body === null) return response;
    let left = mostBytes;
    const counted = response.body.pipeThrough(
      new TransformStream<Uint8Array, Uint8Array>({
        transform(chunk, controller) {
          left -= chunk.byteLength;
          if (left < 0)
            controller.error(new TerminalError(`agent "${peer}" says more than ${mostBytes} bytes at once`));
          else controller.enqueue(chunk);
        },
      }),
    );
    return new Response(counted, { status, statusText: response.statusText, headers: response.headers });
  };
}

const noConnection = [
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT",
];

function hasNotBegun(error: unknown): boolean {
  const { code } = ((error as Error).cause ?? {}) as { code?: string };
  return code !== undefined && noConnection.includes(code);
}
