/**
 * Telegram: the Bot API by polling or webhook.
 *
 * @see https://core.telegram.org/bots/api
 */
import { createHash } from "node:crypto";
import type { Update } from "grammy/types";
import type { Channel, ChannelDeps, Traits } from "../../src/channel.ts";
import { InfrastructureError, reasonOf, RetryableError, TerminalError } from "../../src/errors.ts";
import { createApi } from "./api.ts";
import { check } from "./check.ts";
import { createConnector } from "./connect.ts";
import { mapError } from "./errors.ts";
import { telegramDialect } from "./format.ts";
import { createIntake } from "./intake.ts";
import { fetchMedia } from "./media.ts";
import { reach } from "./reach.ts";
import { chatId, createSender, maxCaption, maxText, threadIn } from "./send.ts";
import { telegramSettings, type TelegramSettings } from "./settings.ts";
import { verify } from "./verify.ts";

const mb = 1024 * 1024;
/** A Telegram update is small: files are named, not contained. */
const longestUpdate = 1 * mb;

/** @throws ZodError that says which setting is wrong. */
export function telegram(settings: TelegramSettings, deps: ChannelDeps): Channel {
  const options = telegramSettings.parse(settings);
  const { token, webhookUrl, webhookSecret } = options;
  const { tenant, channel, account, blobs, log } = deps;
  const api = createApi(options);
  const intake = createIntake(deps, options, api);
  const send = createSender({ api, blobs, log, token });
  const running = new Set<Promise<unknown>>();
  const idle = async () => void (await Promise.allSettled(running));
  const connector = createConnector(deps, options, api, intake, idle);
  let stopping = false;
  let previewFailed = false;

  /** What was kept of albums is handed over before the connection counts as closed. */
  async function settled(closed: Promise<void>): Promise<void> {
    try {
      await closed;
    } finally {
      await intake.settle(false);
    }
  }

  const base: Channel = {
    tenant,
    channel,
    account,
    traits: traitsOf(options.preview),
    dialect: telegramDialect,
    send,
    async typing(to, on) {
      // Telegram ends it by itself: after five seconds, or when the answer comes.
      if (!on) return;
      try {
        await api.calls.raw.sendChatAction({ chat_id: chatId(to), action: "typing", ...threadIn(to) });
      } catch (error) {
        throw mapError(error, "sendChatAction", token);
      }
    },
    reread: (raw) => intake.reread(raw as Update),
    reach: (target) => reach(deps, target),
    fetchMedia: (ref, signal) => fetchMedia(api, options, ref, signal),
    async connect(signal) {
      signal.addEventListener("abort", () => (stopping = true), { once: true });
      await intake.settle(true);
      const connection = await connector.connect(signal);
      return { closed: settled(connection.closed) };
    },
    close: api.close,
    check: (signal) => check(api, options, signal),
  };

  if (options.preview) {
    base.preview = async (to, { turn, text }) => {
      const chat = chatId(to);
      if (to.kind !== "direct" || typeof chat !== "number" || text.trim() === "") return;
      const html = telegramDialect.render(text);
      const shown =
        telegramDialect.measure(html) <= maxText
          ? { text: html, parse_mode: "HTML" as const }
          : { text: wholeCharacters(text.slice(0, maxText)) };
      try {
        await api.calls.raw.sendMessageDraft({ chat_id: chat, draft_id: draftId(turn), ...threadIn(to), ...shown });
      } catch (error) {
        if (!previewFailed)
          log.info(
            { channel, account, reason: reasonOf(mapError(error, "sendMessageDraft", token)) },
            "telegram: no preview",
          );
        previewFailed = true;
      }
    };
  }

  if (webhookUrl === undefined || webhookSecret === undefined) return base;

  async function handle(request: Request, secret: string): Promise<Response> {
    if (request.method !== "POST") return new Response(null, { status: 405, headers: { allow: "POST" } });
    if (!verify(request.headers, secret)) return new Response(null, { status: 401 });
    if (stopping) return comeBack(1_000);
    if (Number(request.headers.get("content-length") ?? 0) > longestUpdate) return new Response(null, { status: 413 });
    const update = readUpdate(await request.text());
    if (update === undefined) {
      log.error({ channel, account }, "telegram: a request with the right secret carries no update; refused");
      return new Response(null, { status: 400 });
    }
    try {
      await intake.accept([update]);
      return new Response(null, { status: 200 });
    } catch (error) {
      log.warn(
        { channel, account, updateId: update.update_id, reason: reasonOf(error) },
        "telegram: update not accepted",
      );
      if (!(error instanceof RetryableError || error instanceof TerminalError))
        return new Response(null, { status: 500 });
      return comeBack(error instanceof InfrastructureError ? error.retryAfterMs : undefined);
    }
  }

  const path = account === "main" ? "/webhooks/telegram" : `/webhooks/telegram/${encodeURIComponent(account)}`;
  return {
    ...base,
    paths: [path],
    handle(request) {
      const answered = handle(request, webhookSecret);
      running.add(answered);
      return answered.finally(() => running.delete(answered));
    },
  };
}

function comeBack(afterMs = 2_000): Response {
  return new Response(null, {
    status: 503,
    headers: { "retry-after": String(Math.max(1, Math.ceil(afterMs / 1_000))) },
  });
}

function readUpdate(body: string): Update | undefined {
  try {
    const value: unknown = JSON.parse(body);
    const is =
      typeof value === "object" && value !== null && "update_id" in value && Number.isSafeInteger(value.update_id);
    return is ? (value as Update) : undefined;
  } catch {
    return undefined; // no JSON: the caller logs and refuses it
  }
}

function traitsOf(preview: boolean): Traits {
  return {
    order: "sequence",
    text: { max: maxText },
    caption: { max: maxCaption },
    buttons: { max: 100, label: 64, id: 64 },
    media: { image: 10 * mb, video: 50 * mb, audio: 50 * mb, voice: 50 * mb, file: 50 * mb, sticker: mb / 2 },
    location: true,
    replies: true,
    receipts: false,
    typingMs: 4_500,
    ...(preview ? { preview: { everyMs: 1_000, in: ["direct"] } } : {}),
  };
}

/** Telegram wants a number that is not zero, the same for all drafts of one answer. */
function draftId(turn: string): number {
  return (createHash("sha256").update(turn).digest().readUInt32BE() % 0x7fff_fffe) + 1;
}

/** Without the half of a surrogate pair that a cut left. */
function wholeCharacters(text: string): string {
  return text.replace(/[\ud800-\udbff]$/, "");
}
