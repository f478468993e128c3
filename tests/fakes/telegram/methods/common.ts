import { array, flag, integer, isObject, object, text } from "../params.ts";
import { badRequest, type Formatted, type Message, type Params } from "../types.ts";
import type { ChatState } from "../world.ts";
import { unixNow, type MethodContext } from "./method.ts";

/** Puts a message of the bot into the chat, with what all send methods share, and returns it. */
export function post(context: MethodContext, params: Params, content: Partial<Message>, to?: ChatState): Message {
  const state = to ?? context.world.target(params);
  const thread = threadOf(params, state);
  const reply = replyOf(params, state);
  const markup = replyMarkup(params);
  const from = state.chat.type === "channel" ? { sender_chat: state.chat } : { from: context.world.me };
  const message: Message = {
    message_id: context.world.nextMessageId(state.chat),
    ...from,
    chat: state.chat,
    date: unixNow(),
    ...(thread === undefined
      ? {}
      : { message_thread_id: thread, ...(state.chat.is_forum ? { is_topic_message: true } : {}) }),
    ...(reply === undefined ? {} : { reply_to_message: reply }),
    ...content,
    ...(markup === undefined ? {} : { reply_markup: markup }),
  };
  state.messages.set(message.message_id, message);
  return message;
}

/** The fields of a text or a caption with its entities, absent where empty. */
export function textFields(key: "text" | "caption", { text: value, entities }: Formatted): Partial<Message> {
  if (value === "") return {};
  return {
    [key]: value,
    ...(entities.length === 0 ? {} : { [key === "text" ? "entities" : "caption_entities"]: entities }),
  };
}

/** The message a method names in its chat, or the 400 that fits `verb`. */
export function messageOf(params: Params, state: ChatState, verb: string): Message {
  const id = integer(params, "message_id");
  if (id === 0) throw badRequest("message identifier is not specified");
  const message = state.messages.get(id);
  if (message === undefined) throw badRequest(`message to ${verb} not found`);
  return message;
}

/** Inline keyboards are checked; the other keyboards are taken as they are but not shown in the message. */
export function replyMarkup(params: Params): Params | undefined {
  const markup = object(params, "reply_markup");
  const rows = markup?.["inline_keyboard"];
  if (markup === undefined || rows === undefined) return undefined;
  if (!Array.isArray(rows))
    throw badRequest('can\'t parse inline keyboard: Field "inline_keyboard" must be of type Array');
  for (const button of rows.flat() as unknown[]) checkButton(button);
  return rows.length === 0 ? undefined : { inline_keyboard: rows as unknown[] };
}

function checkButton(button: unknown): void {
  if (!isObject(button)) throw badRequest("can't parse inline keyboard button: InlineKeyboardButton must be an Object");
  if (typeof button["text"] !== "string" || button["text"] === "") {
    throw badRequest("can't parse inline keyboard button: Can't find field \"text\"");
  }
  const data = button["callback_data"];
  if (data !== undefined) {
    const bytes = Buffer.byteLength(String(data));
    if (bytes < 1 || bytes > 64) throw badRequest("BUTTON_DATA_INVALID");
  } else if (Object.keys(button).length < 2) {
    throw badRequest("can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard");
  }
}

function threadOf(params: Params, state: ChatState): number | undefined {
  const thread = integer(params, "message_thread_id");
  if (thread === 0) return undefined;
  if (!state.threads.has(thread)) throw badRequest("message thread not found");
  return thread;
}

function replyOf(params: Params, state: ChatState): Message | undefined {
  const reply = object(params, "reply_parameters");
  const id = reply === undefined ? integer(params, "reply_to_message_id") : integer(reply, "message_id");
  if (id === 0) return undefined;
  const message = state.messages.get(id);
  if (message === undefined && !flag(reply ?? params, "allow_sending_without_reply")) {
    throw badRequest("message to be replied not found");
  }
  // A message in reply carries no further reply ("Message.reply_to_message").
  if (message === undefined) return undefined;
  const { reply_to_message: _nested, ...flat } = message;
  return flat;
}

/** The reactions of a list, each an emoji, a custom emoji or paid ("ReactionType"). */
export function reactions(params: Params): unknown[] {
  const list = array(params, "reaction") ?? [];
  for (const reaction of list) {
    if (!isObject(reaction) || text(reaction, "type") === "") throw badRequest("can't parse reaction type");
    if (reaction["type"] === "emoji" && !/\p{Extended_Pictographic}/u.test(text(reaction, "emoji"))) {
      throw badRequest("REACTION_INVALID");
    }
  }
  return list;
}
