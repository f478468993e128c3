/** What a pressed message shows afterwards: the choice in place of the buttons, so that nobody presses twice. */
import type { CallbackQuery } from "grammy/types";
import type { TelegramApi } from "./api.ts";
import { maxCaption, maxText } from "./send.ts";

/**
 * In private chats: in groups others may press too. Rejects where Telegram does not take it; a press that comes again edits to
 * the same, which Telegram refuses as no change.
 */
export async function showChoice(api: TelegramApi, { message, data }: CallbackQuery): Promise<void> {
  if (message === undefined || message.date === 0 || message.chat.type !== "private") return;
  const { message_id, text, caption, entities, caption_entities, reply_markup: keyboard } = message;
  const key = keyboard?.inline_keyboard.flat().find((one) => "callback_data" in one && one.callback_data === data);
  if (key === undefined) return;
  const of = { chat_id: message.chat.id, message_id };
  const chosen = `✓ ${key.text}`;
  const said = text ?? caption;
  const shown = said === undefined ? chosen : `${said}\n\n${chosen}`;
  const isText = text !== undefined;
  // Its markup stays where it was: the choice stands behind it.
  if (isText && shown.length <= maxText)
    await api.calls.raw.editMessageText({ ...of, text: shown, ...(entities === undefined ? {} : { entities }) });
  else if (!isText && shown.length <= maxCaption && hasCaption(message))
    await api.calls.raw.editMessageCaption({
      ...of,
      caption: shown,
      ...(caption_entities === undefined ? {} : { caption_entities }),
    });
  else await api.calls.raw.editMessageReplyMarkup(of);
}

function hasCaption(message: object): boolean {
  return ["photo", "video", "animation", "audio", "voice", "document"].some((kind) => kind in message);
}
