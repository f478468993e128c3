import type { Outgoing, SendContext, Sent } from "../../src/channel.ts";
import { RateLimitedError, RetryableError, TerminalError } from "../../src/errors.ts";
import type { SampleSettings } from "./settings.ts";
import { sign, signatureHeader } from "./verify.ts";

const timeoutMs = 15_000;

/** Posts a text. The platform shows one message per `key`, however often it comes. */
export function createSend({ secret, url }: SampleSettings) {
  return async function send(part: Outgoing, { to, key, signal }: SendContext): Promise<Sent> {
    // The traits say that there is nothing else.
    if (part.kind !== "text") throw new TerminalError(`sample send: ${part.kind} cannot be sent`);
    const body = JSON.stringify({ key, chat: to.chat, text: part.text });
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", [signatureHeader]: sign(body, secret) },
      body,
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    }).catch((error: unknown) => {
      signal.throwIfAborted();
      throw new RetryableError("sample send: no answer", { cause: error });
    });
    await response.body?.cancel();
    if (response.ok) return { id: key };
    throw errorOf(response);
  };
}

function errorOf({ status, headers }: Response): Error {
  const words = `sample send: ${status}`;
  if (status === 429) {
    return new RateLimitedError(words, { retryAfterMs: Number(headers.get("retry-after") ?? 5) * 1_000 });
  }
  return status >= 500 ? new RetryableError(words) : new TerminalError(words);
}
