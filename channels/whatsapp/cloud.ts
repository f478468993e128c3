/** WhatsApp by Meta's Cloud API: webhooks in, Graph calls out. */
import type { Channel, ChannelDeps, HttpHandler, Traits } from "../../src/channel.ts";
import { InfrastructureError, InputError, reasonOf, RetryableError, TerminalError } from "../../src/errors.ts";
import { messageId } from "../../src/ids.ts";
import { createApi } from "./api.ts";
import { check } from "./check.ts";
import { mapError } from "./errors.ts";
import { whatsappDialect } from "./format.ts";
import { createIntake } from "./intake.ts";
import { fetchMedia } from "./media.ts";
import { keyBody, maxCaption, maxChoices, maxLabel, maxText, recipientOf } from "./messages.ts";
import { createNumbers } from "./numbers.ts";
import { reach } from "./reach.ts";
import { createSender } from "./send.ts";
import type { CloudOptions } from "./settings.ts";
import { createSigns } from "./signs.ts";
import { createStatuses } from "./statuses.ts";
import { templateBody } from "./template.ts";
import { challengeOf, verify } from "./verify.ts";

const mb = 1024 * 1024;
/** Meta posts at most three megabytes. */
const longestPost = 4 * mb;
const templateMs = 30_000;

export const cloudTraits: Traits = {
  order: "time",
  text: { max: maxText },
  caption: { max: maxCaption },
  buttons: { max: maxChoices, label: maxLabel, id: 200 },
  media: { image: 5 * mb, video: 16 * mb, audio: 16 * mb, voice: 16 * mb, file: 100 * mb, sticker: 100 * 1024 },
  location: true,
  replies: true,
  receipts: "key",
  reactions: "one",
  // It ends by itself after 25 seconds, or when the answer comes.
  typingMs: 20_000,
};

export function whatsappCloud(options: CloudOptions, deps: ChannelDeps): Channel & HttpHandler {
  const { tenant, channel, account, log, publicUrl } = deps;
  const { template, token, appSecret, verifyToken } = options;
  const api = createApi(options);
  const signs = createSigns(deps, options, api);
  const statuses = createStatuses(
    deps,
    template &&
      (async (to, words, key) => {
        const body = { ...recipientOf(to), ...keyBody(key), ...templateBody(template, words) };
        await api.messages(body, AbortSignal.timeout(templateMs)).catch((error: unknown) => {
          throw mapError(error, "template", token);
        });
      }),
  );
  const numbers = createNumbers(deps);
  const intake = createIntake(deps, options, { signs, statuses, numbers });
  const path = account === "main" ? "/webhooks/whatsapp" : `/webhooks/whatsapp/${encodeURIComponent(account)}`;

  async function post(request: Request): Promise<Response> {
    const body = await bytesOf(request);
    if (body === undefined) return new Response(null, { status: 413 });
    if (!verify(request.headers, body, appSecret)) return new Response(null, { status: 401 });
    try {
      await intake.accept(JSON.parse(new TextDecoder().decode(body)));
      return new Response(null, { status: 200 });
    } catch (error) {
      if (error instanceof SyntaxError || error instanceof InputError) {
        log.error({ channel, account }, "whatsapp: a signed request carries no webhook of WhatsApp's; refused");
        return new Response(null, { status: 400 });
      }
      log.warn({ channel, account, reason: reasonOf(error) }, "whatsapp: not accepted, Meta will post it again");
      const later = error instanceof RetryableError || error instanceof TerminalError;
      return later ? comeBack(error instanceof InfrastructureError ? error.retryAfterMs : undefined) : failed();
    }
  }

  return {
    tenant,
    channel,
    account,
    traits: cloudTraits,
    dialect: whatsappDialect,
    send: createSender({ deps, options, api, signs, statuses: () => statuses }),
    async typing(to, on) {
      // WhatsApp ends it by itself.
      if (on) await signs.typing(to);
    },
    fetchMedia: (ref, signal) => fetchMedia(api, options, ref, signal),
    reread: (raw) => intake.reread(raw),
    reach: (target) => reach(deps, numbers, target),
    ratedAs: ({ to, id }) => (id === undefined ? [] : [messageId(deps, to.chat, id)]),
    check: (signal) => check(api, options, `${publicUrl ?? ""}${path}`, signal),
    close: api.close,
    paths: [path],
    async handle(request) {
      if (request.method === "POST") return post(request);
      if (request.method !== "GET") return new Response(null, { status: 405, headers: { allow: "GET, POST" } });
      const challenge = challengeOf(new URL(request.url), verifyToken);
      if (challenge === undefined) return new Response(null, { status: 403 });
      return new Response(challenge, {
        headers: { "content-type": "text/plain", "x-content-type-options": "nosniff" },
      });
    },
  };
}

function comeBack(afterMs = 2_000): Response {
  const seconds = Math.max(1, Math.ceil(afterMs / 1_000));
  return new Response(null, { status: 503, headers: { "retry-after": String(seconds) } });
}

function failed(): Response {
  return new Response(null, { status: 500 });
}

/** Exactly what was signed; undefined past the limit. */
async function bytesOf(request: Request): Promise<Uint8Array | undefined> {
  if (Number(request.headers.get("content-length") ?? 0) > longestPost) return undefined;
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.length;
    if (size > longestPost) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
