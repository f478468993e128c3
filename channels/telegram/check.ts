/** What `ascent doctor` finds out about a bot. */
import type { Finding } from "../../src/channel.ts";
import { reasonOf, TerminalError } from "../../src/errors.ts";
import { asSignal, type TelegramApi } from "./api.ts";
import { mapError } from "./errors.ts";
import { allowedUpdates } from "./parse.ts";
import type { TelegramOptions } from "./settings.ts";

export async function check(
  api: TelegramApi,
  options: TelegramOptions,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  const abort = asSignal(signal);
  try {
    const me = await api.calls.getMe(abort);
    findings.push({ ok: true, text: `Telegram: the token is that of @${me.username}` });
  } catch (error) {
    return [tokenFinding(mapError(error, "getMe", options.token))];
  }
  try {
    findings.push(webhookFinding(await api.calls.getWebhookInfo(abort), options));
  } catch (error) {
    const reason = reasonOf(mapError(error, "getWebhookInfo", options.token));
    findings.push({ ok: false, text: `Telegram: the webhook could not be checked (${reason})`, next: "Try again." });
  }
  return findings;
}

function tokenFinding(error: Error): Finding {
  if (error instanceof TerminalError) {
    const next = "Copy the current token from @BotFather into TELEGRAM_BOT_TOKEN (token).";
    return { ok: false, text: "Telegram: the token was not accepted", next };
  }
  const next = "See that this machine reaches TELEGRAM_API_ROOT (apiRoot); if it does, try again later.";
  return { ok: false, text: `Telegram: no answer to the token (${reasonOf(error)})`, next };
}

type Info = Awaited<ReturnType<TelegramApi["calls"]["getWebhookInfo"]>>;

function webhookFinding(info: Info, { webhookUrl }: TelegramOptions): Finding {
  const pending = `${info.pending_update_count} updates wait`;
  if (webhookUrl === undefined) {
    if (info.url === undefined || info.url === "") return { ok: true, text: `Telegram: polling, ${pending}` };
    const text = "Telegram: a webhook is set for this bot, but TELEGRAM_WEBHOOK_URL is not";
    return { ok: false, text, next: "Start the gateway: polling removes the webhook. Or set TELEGRAM_WEBHOOK_URL." };
  }
  if (info.url !== webhookUrl) {
    const text = `Telegram: the webhook is ${info.url === undefined || info.url === "" ? "not set" : "another address"}, not TELEGRAM_WEBHOOK_URL`;
    return { ok: false, text, next: "Start the gateway: it sets the webhook." };
  }
  const missing = allowedUpdates.filter((kind) => info.allowed_updates?.includes(kind) !== true);
  if (missing.length > 0) {
    const text = `Telegram: the webhook is not asked for ${missing.join(", ")}: another program has set it`;
    return {
      ok: false,
      text,
      next: "Start the gateway again: it sets the webhook. Give the other program its own bot.",
    };
  }
  if (info.last_error_message !== undefined && info.pending_update_count > 0) {
    const text = `Telegram: the webhook fails (${info.last_error_message}), ${pending}`;
    return {
      ok: false,
      text,
      next: "Check that TELEGRAM_WEBHOOK_URL reaches this gateway from the internet, with a valid certificate.",
    };
  }
  return { ok: true, text: `Telegram: the webhook is set, ${pending}` };
}
