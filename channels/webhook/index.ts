/**
 * Webhooks: any system posts a signed message and gets the answer in the response, at its callback URL, or by asking again.
 *
 * The webhook-id is the message: the same id is the same message for eight days, answered once, and posting it again returns
 * its answer. What it asks is remembered before the core has it; the answer is remembered before anybody is told.
 *
 * A source that posts in its own words has a mapping. What that cannot read becomes a dead letter: the source has done its part.
 */
import { createHash } from "node:crypto";
import type { BindingSource, Channel, ChannelDeps, Check, Finding, HttpHandler } from "../../src/channel.ts";
import { InfrastructureError, InputError, reasonOf, RefusedError, TerminalError } from "../../src/errors.ts";
import type { SafeFetch } from "../../src/fetch.ts";
import { messageId, participantId } from "../../src/ids.ts";
import type { InboundEvent } from "../../src/message.ts";
import { type Call, createCalls } from "./calls.ts";
import { answerOf, dialect } from "./format.ts";
import { MappingError } from "./mapping.ts";
import { type Body, eventOf, parseBody, parseFeedback } from "./parse.ts";
import { readText } from "../../src/request-text.ts";
import { reach } from "./reach.ts";
import { createSend } from "./send.ts";
import type { WebhookSettings } from "./settings.ts";
import { createSource, type Mapped, type Posted } from "./source.ts";
import { createBindingKeys, createKeys, createSourceKeys, type Keys } from "./verify.ts";

const refuse = (status: number, code: string, message: string, headers: Record<string, string> = {}) =>
  Response.json({ error: { code, message } }, { status, headers });

/** @param variable where the secret stands. */
const weakSecret = (variable: string): Finding => ({
  ok: false,
  text: `Webhooks: a secret in ${variable} is so short that it could be guessed`,
  next: 'Take what "openssl rand -base64 32" prints; both may stand there, with a space between them, until the senders have it.',
});

function keysOf({ secret, signature }: WebhookSettings): Keys {
  if (signature.scheme === "standard") return createKeys(secret);
  return signature.scheme === "binding" ? createBindingKeys(secret) : createSourceKeys(secret, signature);
}

const codes: Readonly<Record<number, string>> = { 409: "conflict", 413: "too_large" };

const answered = ({ webhookId: id, parts }: Call) =>
  Response.json({ id, answer: answerOf(parts.map(({ part }) => part)) });

/** A message as it came in, with what tells it from another under the same id. */
interface Asked {
  readonly id: string;
  readonly body: Body;
  readonly digest: string;
  event(receivedAt: number): InboundEvent;
}

/** @param settings as {@link webhookSettings} gave them. */
export function webhook(
  settings: WebhookSettings,
  deps: ChannelDeps,
  safeFetch: SafeFetch,
): Channel & HttpHandler & Check {
  const { account, clock, inbound, log } = deps;
  const main = account === "main";
  const path = main ? "/webhooks/in" : `/webhooks/in/${account}`;
  const ratingPath = main ? "/webhooks/feedback" : `/webhooks/feedback/${account}`;
  const { signature, mapping } = settings;
  const binding = signature.scheme === "binding" ? signature.name : undefined;
  const keys = keysOf(settings);
  const source = mapping === undefined ? undefined : createSource(deps, { ...settings, mapping }, clock);
  if (keys.weak) log.warn({ account }, "webhook: the secret is short: 24 random bytes or more are harder to guess");
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

  /** A thumb on an answer, by the webhook-id of what it answers; signed as a message is. */
  async function rate(request: Request): Promise<Response> {
    const text = await readText(request, settings.bodyBytes);
    const refusal = keys.refusal(request.headers, text, clock.now());
    if (refusal !== undefined) return refuse(401, "unauthorized", refusal);
    const { message, participant, thumb, words } = parseFeedback(text);
    const by = { id: participantId(deps, participant) };
    const of = { account: deps, target: messageId(deps, message), by, thumb: thumb ?? undefined, words };
    if ((await deps.ratings?.rate(of)) === true) return Response.json({ id: message, thumb });
    return refuse(404, "not_found", "There is no answer to this message that could be rated (any more).");
  }

  async function accept(request: Request): Promise<Response> {
    const text = await readText(request, settings.bodyBytes);
    const now = clock.now();
    const refusal = keys.refusal(request.headers, text, now);
    if (refusal !== undefined) return refuse(401, "unauthorized", refusal);
    if (source !== undefined) return acceptPosted(source.read(request.headers, text));
    const id = request.headers.get("webhook-id") ?? "";
    const body = parseBody(id, text, settings.textLength);
    const digest = createHash("sha256").update(text).digest("base64url");
    return answer(request, await take({ id, body, digest, event: (at) => eventOf(deps, id, body, at) }), body);
  }

  /** Its source is told "received" also where the mapping does not fit: mending that is the operator's. */
  async function acceptPosted(given: Posted): Promise<Response> {
    if (source === undefined) throw new TypeError("no mapping is configured");
    let mapped: Mapped;
    try {
      mapped = await source.map(given);
    } catch (error) {
      if (!(error instanceof MappingError)) throw error;
      const reason = reasonOf(error);
      const unreadable = source.unreadable(given, reason);
      await inbound.setAside(unreadable);
      log.error({ account, id: unreadable.id, reason }, "webhook: an event is set aside and kept as a dead letter");
      return Response.json({ id: null }, { status: 202 });
    }
    const done = await takeMapped(mapped, given).catch((error: unknown) => {
      // The journal has it, and the same again would meet the same rule; only what was too much may come later.
      if (!(error instanceof RefusedError) || error.retryAfterMs !== undefined) throw error;
      return undefined;
    });
    return done === undefined ? Response.json({ id: mapped.id }, { status: 202 }) : answered(done);
  }

  /** @returns its call where it is answered already. */
  async function takeMapped({ id, body }: Mapped, given: Posted): Promise<Call | undefined> {
    const event = (at: number): InboundEvent => {
      const { raw: _raw, ...made } = eventOf(deps, id, body, at);
      if (made.kind !== "message") return made;
      // Words of an event are no commands, whatever they begin with.
      const { command: _command, ...message } = made.message;
      return { ...made, message, raw: given };
    };
    // Without text there is nothing to answer: the core sets it aside, visibly.
    if (body.text.trim() === "") {
      await inbound.accept([event(clock.now())]);
      return undefined;
    }
    const known = await take({ id, body, digest: given.digest, event });
    return known.done ? known : undefined;
  }

  /** @throws InputError where another body came under this id before. */
  async function take(asked: Asked): Promise<Call> {
    const { id, digest } = asked;
    const known = (await calls.find(messageId(deps, id))) ?? (await begin(asked, clock.now()));
    if (known.body !== digest) {
      const words = "Another body came under this webhook-id before: a new message needs a new one.";
      throw new InputError(words, { status: 409 });
    }
    if (!known.done) await inbound.accept([asked.event(known.at)], { admitted: true });
    return known;
  }

  async function answer(request: Request, known: Call, body: Body): Promise<Response> {
    const { webhookId: id } = known;
    const message = messageId(deps, id);
    const seconds = body.wait === true ? settings.waitSeconds : Math.min(Number(body.wait), settings.waitSeconds);
    const waits = !known.done && seconds > 0;
    const found = waits ? await calls.answered(message, seconds * 1000, request.signal) : known;
    return found?.done === true ? answered(found) : Response.json({ id }, { status: 202 });
  }

  async function begin({ id: webhookId, body, digest, event: eventAt }: Asked, at: number): Promise<Call> {
    const { callbackUrl } = body;
    const event = eventAt(at);
    await inbound.admit(event);
    await checkTargets(body);
    if (callbackUrl !== undefined) await calls.setTarget(event.address.conversation, callbackUrl);
    return calls.open(event.id, event.address.conversation, {
      v: 1,
      webhookId,
      body: digest,
      at,
      ...(callbackUrl !== undefined && { callbackUrl }),
      parts: [],
      done: false,
    });
  }

  const channel: Channel = {
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
    ratedAs: ({ answers }) => answers,
    reach: (target) => reach(deps, calls, target),
    ...(source === undefined
      ? {}
      : {
          async reread(raw) {
            const given = source.readAgain(raw);
            const mapped = await source.map(given).catch((error: unknown) => {
              if (!(error instanceof MappingError)) throw error;
              throw new InputError(`the mapping still does not fit: ${error.message}`, { status: 422 });
            });
            await takeMapped(mapped, given);
          },
          close: () => source.close(),
        }),
  };
  /** There is nobody to tell that it can never be taken: then it is a dead letter, and the component goes on. */
  const fromBinding = (from: string): BindingSource => ({
    binding: from,
    async take(request) {
      if (source === undefined) throw new TypeError("no mapping is configured");
      const given = source.read(request.headers, await readText(request, settings.bodyBytes));
      try {
        await acceptPosted(given);
      } catch (error) {
        // What a rule keeps out is in the journal.
        if (error instanceof RefusedError) return;
        if (!(error instanceof InputError || error instanceof TerminalError)) throw error;
        await inbound.setAside(source.unreadable(given, reasonOf(error)));
      }
    },
  });

  return {
    ...channel,
    ...(binding === undefined ? {} : fromBinding(binding)),
    // A component is heard by its name alone.
    paths: binding === undefined ? [path, ...(deps.ratings === undefined ? [] : [ratingPath])] : [],
    async check() {
      if (keys.weak) return [weakSecret(main ? "WEBHOOK_SECRET (secret)" : `the secret of account "${account}"`)];
      const what = binding === undefined ? `messages are taken at ${path}` : `"${binding}" is listened to`;
      return [{ ok: true, text: `Webhooks: ${source === undefined ? "signed " : ""}${what}` }];
    },
    async handle(request) {
      if (request.method !== "POST") return refuse(405, "method_not_allowed", "Use POST.", { allow: "POST" });
      try {
        const isRating = new URL(request.url).pathname.replace(/\/$/, "") === ratingPath;
        return await (isRating ? rate(request) : accept(request));
      } catch (error) {
        if (error instanceof InfrastructureError) {
          log.warn({ account, reason: reasonOf(error) }, "webhook: refused for now");
          const seconds = Math.max(1, Math.ceil((error.retryAfterMs ?? 1000) / 1000));
          const headers = { "retry-after": String(seconds) };
          return refuse(503, "unavailable", "The gateway cannot take this right now: try again.", headers);
        }
        if (error instanceof TerminalError) {
          log.error({ account, reason: reasonOf(error) }, "webhook: refused for good");
          return refuse(422, "refused", "The gateway cannot take this, now or later.");
        }
        if (error instanceof RefusedError) return refuse(error.status, error.code, error.message, error.headers);
        if (!(error instanceof InputError)) throw error;
        return refuse(error.status, codes[error.status] ?? "bad_request", error.message);
      }
    },
  };
}
