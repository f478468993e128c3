/**
 * Telegram's updates as events. Pure.
 *
 * Set aside without an event, because nobody who talks to the agent wrote them: channel posts and their copies in discussion
 * groups, messages of business accounts and of the bot itself, service messages, ephemeral messages (their ids are reused),
 * and every kind of update that {@link allowedUpdates} does not ask for.
 *
 * @see https://core.telegram.org/bots/api#update
 */
import type {
  CallbackQuery,
  Chat,
  ChatMemberUpdated,
  Message,
  MessageReactionUpdated,
  Update,
  User,
} from "grammy/types";
import { InputError } from "../../src/errors.ts";
import { conversationId, messageId, participantId, type AccountRef, type MessageId } from "../../src/ids.ts";
import type { Address, InboundEvent, Message as Normalized, Participant } from "../../src/message.ts";
import { partsOf } from "./content.ts";

export const allowedUpdates = [
  "message",
  "edited_message",
  "callback_query",
  "my_chat_member",
  "message_reaction",
] as const;

export interface ParseContext extends AccountRef {
  /** The bot itself, as getMe tells. */
  readonly me: { readonly id: number; readonly username: string };
  readonly receivedAt: number;
}

/** @throws InputError or TypeError for what Telegram never sends. */
export function parse(update: Update, context: ParseContext): InboundEvent | undefined {
  if (!Number.isSafeInteger(update.update_id)) throw new InputError("telegram: an update has no update_id");
  if (update.message !== undefined) return written(update, update.message, context);
  if (update.edited_message !== undefined) return written(update, update.edited_message, context);
  if (update.callback_query !== undefined) return pressed(update, update.callback_query, context);
  if (update.my_chat_member !== undefined) return membership(update, update.my_chat_member, context);
  if (update.message_reaction !== undefined) return reacted(update, update.message_reaction, context);
  return undefined;
}

/** The id of a message of the platform: what `target`, `replyTo` and `of` name. */
export function platformMessageId(account: AccountRef, chat: Chat["id"], message: number): MessageId {
  return messageId(account, String(chat), `m${message}`);
}

function written(update: Update, message: Message, context: ParseContext): InboundEvent | undefined {
  if (!Number.isSafeInteger(message.message_id)) throw new InputError("telegram: a message has no message_id");
  const from = senderOf(message, context);
  const to = addressOf(message.chat, threadOf(message), context);
  if (from === undefined || to === undefined || message.message_id === 0) return undefined;
  if (message.is_automatic_forward === true || message.business_connection_id !== undefined) return undefined;
  // A live location is edited with every step of the person.
  if (update.edited_message !== undefined && message.location?.live_period !== undefined) return undefined;
  const parts = partsOf(message);
  if (parts.length === 0) return undefined;

  const target = platformMessageId(context, message.chat.id, message.message_id);
  const header = headerOf(update, to, participantOf(from, context), context, message.date);
  const content = { ...addressing(message, to.kind, context), parts, ...replyOf(message, context) };
  if (update.edited_message === undefined) return { ...header, kind: "message", id: target, message: content };
  // Two edits in one second have the same date, but never the same update.
  const id = messageId(
    context,
    String(message.chat.id),
    `m${message.message_id}`,
    `e${message.edit_date}.${update.update_id}`,
  );
  return { ...header, kind: "edited", id, target, message: content };
}

type Sender = User | Extract<Chat, { title: string }>;

/** A person, another bot, or a chat that a person speaks for (anonymous administrators). */
function senderOf(message: Message, { me }: ParseContext): Sender | undefined {
  const { from, sender_chat: chat } = message;
  if (chat !== undefined && chat.type !== "private") return chat;
  return from?.id === me.id ? undefined : from;
}

function participantOf(from: Sender, context: AccountRef): Participant {
  const user = String(from.id);
  const person = "is_bot" in from ? from : undefined;
  const name = "is_bot" in from ? [from.first_name, from.last_name].filter(Boolean).join(" ") : from.title;
  return {
    id: participantId(context, user),
    user,
    ...(name === "" ? {} : { name }),
    ...(from.username === undefined ? {} : { handle: from.username }),
    ...(person?.is_bot === true ? { bot: true } : {}),
    ...(person?.language_code === undefined ? {} : { locale: person.language_code }),
  };
}

/** A topic of a forum or of a private chat. In other groups Telegram numbers threads of replies, which are no topics. */
function threadOf(message: Pick<Message, "is_topic_message" | "message_thread_id">): string | undefined {
  if (message.is_topic_message !== true || message.message_thread_id === undefined) return undefined;
  return String(message.message_thread_id);
}

function addressOf(chat: Chat, thread: string | undefined, context: AccountRef): Address | undefined {
  if (chat.type === "channel" || chat.is_direct_messages === true) return undefined;
  const id = String(chat.id);
  return {
    tenant: context.tenant,
    channel: context.channel,
    account: context.account,
    conversation: conversationId(context, id, thread),
    kind: chat.type === "private" ? "direct" : "group",
    chat: id,
    ...(thread === undefined ? {} : { thread }),
  };
}

function headerOf(update: Update, address: Address, participant: Participant, context: ParseContext, seconds?: number) {
  return {
    v: 1 as const,
    address,
    participant,
    sequence: update.update_id,
    receivedAt: context.receivedAt,
    raw: update,
    ...(seconds === undefined ? {} : { sentAt: seconds * 1_000 }),
  };
}

/** Whom a message is for: in groups the bot where it is named, commanded or replied to. */
function addressing(
  message: Message,
  kind: Address["kind"],
  { me }: ParseContext,
): Pick<Normalized, "addressed" | "forAnother" | "command"> {
  const text = message.text ?? message.caption ?? "";
  const entities = message.entities ?? message.caption_entities ?? [];
  const username = me.username.toLowerCase();
  const command = commandOf(message, username);
  if (command === "another bot's" && kind === "group") return { addressed: false, forAnother: true };
  const called = typeof command === "object" ? { command } : {};
  if (kind === "direct" || typeof command === "object") return { addressed: true, ...called };
  const mentioned = entities.some((entity) => {
    if (entity.type === "text_mention") return entity.user.id === me.id;
    const words = text.slice(entity.offset, entity.offset + entity.length);
    return entity.type === "mention" && words.toLowerCase() === `@${username}`;
  });
  return { addressed: mentioned || repliedTo(message)?.from?.id === me.id };
}

function commandOf(message: Message, username: string): { name: string; args: string } | "another bot's" | undefined {
  const text = message.text ?? message.caption;
  const entity = (message.entities ?? message.caption_entities)?.[0];
  if (entity?.type !== "bot_command" || entity.offset !== 0 || text === undefined) return undefined;
  const [name = "", bot] = text.slice(1, entity.length).toLowerCase().split("@");
  if (bot !== undefined && bot !== username) return "another bot's";
  return { name, args: text.slice(entity.length).trim() };
}

/** The message that a person replied to. Every message of a topic "replies" to the topic's opening: that is none. */
function repliedTo(message: Message): Message["reply_to_message"] {
  const reply = message.reply_to_message;
  if (reply === undefined || reply.forum_topic_created !== undefined) return undefined;
  return message.is_topic_message === true && reply.message_id === message.message_thread_id ? undefined : reply;
}

function replyOf(message: Message, context: ParseContext): Pick<Normalized, "replyTo"> {
  const reply = repliedTo(message);
  const text = message.quote?.text ?? reply?.text ?? reply?.caption;
  if (reply === undefined) return text === undefined ? {} : { replyTo: { text } };
  return {
    replyTo: {
      id: platformMessageId(context, message.chat.id, reply.message_id),
      ...(text === undefined ? {} : { text }),
      ...(reply.from?.id === context.me.id ? { own: true } : {}),
    },
  };
}

/** Telegram says neither when a button was pressed nor what was on it: the label is that of the keyboard. */
function pressed(update: Update, query: CallbackQuery, context: ParseContext): InboundEvent | undefined {
  const { message, data } = query;
  if (message === undefined || data === undefined || query.from.is_bot) return undefined;
  const full = message.date === 0 ? undefined : message;
  if (full?.business_connection_id !== undefined) return undefined;
  const to = addressOf(message.chat, full === undefined ? undefined : threadOf(full), context);
  if (to === undefined) return undefined;
  const keys = full?.reply_markup?.inline_keyboard.flat() ?? [];
  const label = keys.find((key) => "callback_data" in key && key.callback_data === data)?.text;
  const of = platformMessageId(context, message.chat.id, message.message_id);
  return {
    ...headerOf(update, to, participantOf(query.from, context), context),
    kind: "message",
    id: messageId(context, "callback", query.id),
    message: {
      parts: [{ kind: "press", button: data, of, ...(label === undefined ? {} : { label }) }],
      addressed: true,
    },
  };
}

function membership(update: Update, change: ChatMemberUpdated, context: ParseContext): InboundEvent | undefined {
  const to = addressOf(change.chat, undefined, context);
  const present = ({ status, ...member }: ChatMemberUpdated["new_chat_member"]) =>
    status === "restricted"
      ? "is_member" in member && member.is_member === true
      : status !== "left" && status !== "kicked";
  const is = present(change.new_chat_member);
  if (to === undefined || is === present(change.old_chat_member)) return undefined;
  return {
    ...headerOf(update, to, participantOf(change.from, context), context, change.date),
    kind: "membership",
    id: messageId(context, to.chat, "member", String(update.update_id)),
    change: is ? "joined" : "left",
  };
}

/** Telegram does not say in which topic the message stands: the event belongs to the chat. */
function reacted(update: Update, change: MessageReactionUpdated, context: ParseContext): InboundEvent | undefined {
  const to = addressOf(change.chat, undefined, context);
  const from = change.user ?? (change.actor_chat?.type === "private" ? undefined : change.actor_chat);
  if (to === undefined || from === undefined || ("is_bot" in from && from.is_bot)) return undefined;
  const [before, after] = [change.old_reaction, change.new_reaction].map((reactions) =>
    reactions.map((one) =>
      one.type === "emoji" ? one.emoji : one.type === "custom_emoji" ? one.custom_emoji_id : one.type,
    ),
  ) as [string[], string[]];
  return {
    ...headerOf(update, to, participantOf(from, context), context, change.date),
    kind: "reacted",
    id: messageId(context, to.chat, `m${change.message_id}`, `r${update.update_id}`),
    target: platformMessageId(context, change.chat.id, change.message_id),
    added: after.filter((one) => !before.includes(one)),
    removed: before.filter((one) => !after.includes(one)),
  };
}
