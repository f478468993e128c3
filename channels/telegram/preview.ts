/** The answer as it grows: a draft that Telegram shows until the answer comes. */
import { createHash } from "node:crypto";
import type { ChannelDeps, Preview } from "../../src/channel.ts";
import { reasonOf } from "../../src/errors.ts";
import type { TelegramApi } from "./api.ts";
import { mapError } from "./errors.ts";
import { telegramDialect } from "./format.ts";
import { chatId, maxText, threadIn } from "./send.ts";

export function createPreview({ channel, account, log }: ChannelDeps, api: TelegramApi, token: string): Preview {
  let failed = false;
  return {
    async preview(to, { turn, text }) {
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
        const reason = reasonOf(mapError(error, "sendMessageDraft", token));
        if (!failed) log.info({ channel, account, reason }, "telegram: no preview");
        failed = true;
      }
    },
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
