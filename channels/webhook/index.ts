/**
 * Webhooks: any system posts a signed message and gets the answer in the response, at its callback URL, or by asking again.
 *
 * The webhook-id is the message: the same id is the same message for eight days, answered once, and posting it again returns
 * its answer. What it asks is remembered before the core has it; the answer is remembered before anybody is told.
 */
import { createHash } from "node:crypto";
import type { Channel, ChannelDeps, Check, Finding, HttpHandler } from "../../src/channel.ts";
import { InfrastructureError, InputError, reasonOf, RefusedError, TerminalError } from "../../src/errors.ts";
import type { SafeFetch } from "../../src/fetch.ts";
import { messageId } from "../../src/ids.ts";
import { type Call, createCalls } from "./calls.ts";
import { answerOf, dialect } from "./format.ts";
import { type Body, eventOf, parseBody } from "./parse.ts";
import { readText } from "./read.ts";
import { createSend } from "./send.ts";
import type { WebhookSettings } from "./settings.ts";
import { createKeys } from "./verify.ts";

export { webhookSettings } from "./settings.ts";

const refuse = (status: number, code: string, message: string, headers: Record<string, string> = {}) =>
  Response.json({ error: { code, message } }, { status, headers });

const weakSecret: Finding = {
  ok: false,
  text: "Webhooks: a secret in WEBHOOK_SECRET (secret) is so short that it could be guessed",
  next: 'Take what "openssl rand -base64 32" prints; both may stand there, with a space between them, until the senders have it.',
};

/** @param settings as {@link webhookSettings} gave them. */
export function webhook(
  settings: WebhookSettings,
  deps: ChannelDeps,
  safeFetch: SafeFetch,
): Channel & HttpHandler & Check {
  const { account, clock, inbound } = deps;
  const path = account === "main" ? "/webhooks/in" : `/webhooks/in/${account}`;
  const keys = createKeys(settings.secret);
  if (keys.weak)
    deps.log.warn({ account }, "webhook: the secret is short: 24 random bytes or more are harder to guess");
  const calls = createCalls(deps);

  /** What a new message must fulfil beside its schema; one that is known was let in before. */
  async function checkTargets({ callbackUrl, attachments }: Body): Promise<void> {
    const urls = [
      ["callbackUrl", callbackUrl],
      ...attachments.map(({ url }, i) => [`attachments.${i}.url`, url]),
    ] as const;
    for (const [where, url] of urls) {
      const reason = url === undefined ? undefined : await safeFetch.refusal(url);
      if (reason !== undefined) throw new InputError(`${where} is refused: ${reason}`);
    }
  }

  async function accept(request: Request): Promise<Response> {
    const text = await readText(request, settings.bodyBytes);
    const now = clock.now();
    const refusal = keys.refusal(request.headers, text, now);
    if (refusal !== undefined) return refuse(401, "unauthorized", refusal);
    const id = request.headers.get("webhook-id") ?? "";
    const body = parseBody(id, text, settings.textLength);
    const message = messageId(deps, id);
    const digest = createHash("sha256").update(text).digest("base64url");
    const known = (await calls.find(message)) ?? (await begin(id, body, digest, now));
    if (known.body !== digest) {
      return refuse(409, "conflict", "Another body came under this webhook-id before: a new message needs a new one.");
    }
    if (!known.done) await inbound.accept([eventOf(deps, id, body, known.at)], { admitted: true });
    const seconds = body.wait === true ? settings.waitSeconds : Math.min(Number(body.wait), settings.waitSeconds);
    const waits = !known.done && seconds > 0;
    const answered = waits ? await calls.answered(message, seconds * 1000, request.signal) : known;
    return answered?.done !== true
      ? Response.json({ id }, { status: 202 })
      : Response.json({ id, answer: answerOf(answered.parts.map(({ part }) => part)) });
  }

  async function begin(webhookId: string, body: Body, digest: string, at: number): Promise<Call> {
    const { callbackUrl } = body;
    const event = eventOf(deps, webhookId, body, at);
    await inbound.admit(event);
    await checkTargets(body);
    if (callbackUrl !== undefined) await calls.setTarget(event.address.conversation, callbackUrl);
    return calls.open(event.id, {
      v: 1,
      webhookId,
      body: digest,
      at,
      ...(callbackUrl !== undefined && { callbackUrl }),
      parts: [],
      done: false,
    });
  }

  return {
    tenant: deps.tenant,
    channel: deps.channel,
    account,
    traits: {
      order: "arrival",
      text: { max: settings.textLength },
      caption: { max: settings.textLength },
      media: {},
      location: true,
      replies: false,
      receipts: false,
      refuses: true,
    },
    dialect,
    send: createSend(deps, calls, keys, safeFetch),
    paths: [path],
    check: async () => [keys.weak ? weakSecret : { ok: true, text: `Webhooks: signed messages are taken at ${path}` }],
    async handle(request) {
      if (request.method !== "POST") return refuse(405, "method_not_allowed", "Use POST.", { allow: "POST" });
      try {
        return await accept(request);
      } catch (error) {
        if (error instanceof InfrastructureError) {
          deps.log.warn({ account, reason: reasonOf(error) }, "webhook: refused for now");
          const seconds = Math.max(1, Math.ceil((error.retryAfterMs ?? 1000) / 1000));
          const headers = { "retry-after": String(seconds) };
          return refuse(503, "unavailable", "The gateway cannot take this right now: try again.", headers);
        }
        if (error instanceof TerminalError) {
          deps.log.error({ account, reason: reasonOf(error) }, "webhook: refused for good");
          return refuse(422, "refused", "The gateway cannot take this, now or later.");
        }
        if (error instanceof RefusedError) return refuse(error.status, error.code, error.message, error.headers);
        if (!(error instanceof InputError)) throw error;
        return refuse(error.status, error.status === 413 ? "too_large" : "bad_request", error.message);
      }
    },
  };
}
