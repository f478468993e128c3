import { formatted, MAX_CAPTION, MAX_TEXT } from "../formatting.ts";
import { array, text } from "../params.ts";
import { badRequest, type Message, type Params } from "../types.ts";
import type { ChatState } from "../world.ts";
import { messageOf, reactions, replyMarkup, textFields } from "./common.ts";
import { unixNow, type Method, type MethodContext } from "./method.ts";

const NOT_MODIFIED =
  "message is not modified: specified new message content and reply markup are exactly the same as a current content " +
  "and reply markup of the message";

const CONTENT = ["text", "entities", "caption", "caption_entities", "reply_markup"] as const;

/** Replaces a message's content, its keyboard included; refuses a change that changes nothing ("Updating messages"). */
function edit(
  context: MethodContext,
  params: Params,
  state: ChatState,
  old: Message,
  content: Partial<Message>,
): Message {
  const own = old.chat.type === "channel" || old.from?.id === context.world.me.id;
  if (!own) throw badRequest("message can't be edited");
  const markup = replyMarkup(params);
  const changed = markup === undefined ? content : { ...content, reply_markup: markup };
  if (fingerprint(old) === fingerprint(changed)) throw badRequest(NOT_MODIFIED);
  const message = { ...old, edit_date: unixNow() };
  for (const key of CONTENT) delete message[key];
  Object.assign(message, changed);
  state.messages.set(message.message_id, message);
  return message;
}

function fingerprint(content: Partial<Message>): string {
  return JSON.stringify(CONTENT.map((key) => content[key]));
}

const editMessageText: Method = (context, params) => {
  const state = context.world.target(params);
  const old = messageOf(params, state, "edit");
  if (old.text === undefined) throw badRequest("there is no text in the message to edit");
  const content = formatted(params, "text");
  if (content.text === "") throw badRequest("message text is empty");
  if (content.text.length > MAX_TEXT) throw badRequest("message is too long");
  return edit(context, params, state, old, textFields("text", content));
};

const editMessageCaption: Method = (context, params) => {
  const state = context.world.target(params);
  const old = messageOf(params, state, "edit");
  if (old.text !== undefined) throw badRequest("there is no caption in the message to edit");
  const content = formatted(params, "caption");
  if (content.text.length > MAX_CAPTION) throw badRequest("message caption is too long");
  return edit(context, params, state, old, textFields("caption", content));
};

const editMessageReplyMarkup: Method = (context, params) => {
  const state = context.world.target(params);
  const old = messageOf(params, state, "edit");
  const { reply_markup: _replaced, ...kept } = old;
  return edit(context, params, state, old, kept);
};

const deleteMessage: Method = ({ world }, params) => {
  const state = world.target(params);
  state.messages.delete(messageOf(params, state, "delete").message_id);
  return true;
};

/** Skips what is not found, as documented. */
const deleteMessages: Method = ({ world }, params) => {
  const state = world.target(params);
  for (const id of array(params, "message_ids") ?? []) state.messages.delete(Number(id));
  return true;
};

const setMessageReaction: Method = ({ world }, params) => {
  const state = world.target(params);
  if (reactions(params).length > 1) throw badRequest("REACTIONS_TOO_MANY");
  messageOf(params, state, "react");
  return true;
};

/** Each query can be answered once. */
const answerCallbackQuery: Method = ({ world }, params) => {
  if (!world.openQueries.delete(text(params, "callback_query_id"))) {
    throw badRequest("query is too old and response timeout expired or query ID is invalid");
  }
  if (text(params, "text").length > 200) throw badRequest("MESSAGE_TOO_LONG");
  return true;
};

export const editMethods: Readonly<Record<string, Method>> = {
  editmessagetext: editMessageText,
  editmessagecaption: editMessageCaption,
  editmessagereplymarkup: editMessageReplyMarkup,
  deletemessage: deleteMessage,
  deletemessages: deleteMessages,
  setmessagereaction: setMessageReaction,
  answercallbackquery: answerCallbackQuery,
};
