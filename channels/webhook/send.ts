import { createHash } from "node:crypto";
import type { ChannelDeps, Outgoing, SendContext, Sent } from "../../src/channel.ts";
import { RateLimitedError, RetryableError, TerminalError } from "../../src/errors.ts";
import { retryAfterOf, type SafeFetch } from "../../src/fetch.ts";
import { answerPart, answerOf } from "./format.ts";
import type { AnswerPart, Call, Calls } from "./calls.ts";
import type { Keys } from "./verify.ts";

const timeoutMs = 15_000;

/**
 * Stores a part under every message it answers and, with the last one, posts the whole answer to their callback URLs. Each
 * POST has a webhook-id made from the sending's key: a receiver that was sent it twice can tell.
 */
export function createSend({ clock }: ChannelDeps, calls: Calls, keys: Keys, safeFetch: SafeFetch) {
  async function post(url: string, webhookId: string, body: string, signal: AbortSignal): Promise<void> {
    const headers = { "content-type": "application/json", ...keys.sign(webhookId, body, clock.now()) };
    const request = { method: "POST", headers, body, timeoutMs, maxBytes: 0, signal } as const;
    const response = await safeFetch(url, request).catch((error: unknown) => {
      signal.throwIfAborted();
      if (error instanceof TerminalError)
        throw new TerminalError("webhook send: the callback is refused", { cause: error });
      throw new RetryableError("webhook send: the callback cannot be reached", { cause: error });
    });
    const { status } = response;
    if (status >= 200 && status < 300) return;
    const { host } = new URL(url);
    if (status === 410) throw new TerminalError(`webhook send: ${host} answered 410, it wants no more`);
    const message = `webhook send: ${host} answered ${status}`;
    const retryAfterMs = retryAfterOf(response.headers, clock.now());
    if (status === 429) throw new RateLimitedError(message, { retryAfterMs: retryAfterMs ?? 5000 });
    throw new RetryableError(message, retryAfterMs === undefined ? {} : { retryAfterMs });
  }

  return async function send(part: Outgoing, context: SendContext): Promise<Sent> {
    const { to, key, answers, last, signal } = context;
    signal.throwIfAborted();
    const own = answerPart(part);
    const known: Call[] = [];
    for (const message of answers) {
      const call = await calls.addPart(message, key, own, last);
      if (call !== undefined) known.push(call);
    }
    const id = `msg_${createHash("sha256").update(key).digest("base64url").slice(0, 32)}`;
    // What answers nothing that is known here was written by the agent itself: each part goes out alone.
    if (known.length > 0 && !last) return { id };
    const urls = new Set(known.flatMap(({ callbackUrl }) => callbackUrl ?? []));
    if (known.length === 0) {
      const url = await calls.target(to.conversation);
      if (url === undefined) throw new TerminalError("webhook send: nobody waits here and no callbackUrl is known");
      urls.add(url);
    }
    const body = JSON.stringify({
      type: "answer",
      conversation: to.thread ?? to.chat,
      ...(to.kind === "direct" && { participant: to.chat }),
      answers: known.map(({ webhookId }) => webhookId),
      answer: answerOf(partsOf(known, key, own)),
    });
    for (const url of urls) await post(url, id, body, signal);
    return { id };
  };
}

function partsOf([first]: readonly Call[], key: string, own: AnswerPart): readonly AnswerPart[] {
  const parts = first?.parts ?? [];
  return parts.some((one) => one.key === key) ? parts.map(({ part }) => part) : [own];
}
