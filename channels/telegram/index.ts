/**
 * Telegram: the Bot API by polling or webhook.
 *
 * @see https://core.telegram.org/bots/api
 */
import type { Update } from "grammy/types";
import type { Channel, ChannelDeps, Traits } from "../../src/channel.ts";
import { createApi } from "./api.ts";
import { check } from "./check.ts";
import { createConnector } from "./connect.ts";
import { mapError } from "./errors.ts";
import { telegramDialect } from "./format.ts";
import { createIntake } from "./intake.ts";
import { fetchMedia } from "./media.ts";
import { platformMessageId } from "./parse.ts";
import { createPreview } from "./preview.ts";
import { reach } from "./reach.ts";
import { chatId, createSender, maxCaption, maxText, threadIn } from "./send.ts";
import { telegramSettings, type TelegramSettings } from "./settings.ts";
import { createWebhook } from "./webhook.ts";

const mb = 1024 * 1024;

/** @throws ZodError that says which setting is wrong. */
export function telegram(settings: TelegramSettings, deps: ChannelDeps): Channel {
  const options = telegramSettings.parse(settings);
  const { token, webhookUrl, webhookSecret } = options;
  const { tenant, channel, account, blobs, log } = deps;
  const api = createApi(options);
  const intake = createIntake(deps, options, api);
  const send = createSender({ api, blobs, log, token });
  let stopping = false;
  const webhook =
    webhookUrl === undefined || webhookSecret === undefined
      ? undefined
      : createWebhook(deps, { intake, secret: webhookSecret, stopping: () => stopping });
  const connector = createConnector(deps, options, api, intake, async () => webhook?.idle());

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
    ...(options.preview ? createPreview(deps, api, token) : {}),
    reread: (raw) => intake.reread(raw as Update),
    reach: (target) => reach(deps, target),
    ratedAs: ({ to, id }) => (id === undefined ? [] : [platformMessageId(deps, Number(to.chat), Number(id))]),
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

  if (webhook === undefined) return base;
  const { paths, handle } = webhook;
  return { ...base, paths, handle };
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
    reactions: "many",
    typingMs: 4_500,
    ...(preview ? { preview: { everyMs: 1_000, in: ["direct"] } } : {}),
  };
}
