import { detectEntities } from "./entities.ts";
import { unixNow } from "./methods/method.ts";
import { mediaField, type MediaKind } from "./methods/media.ts";
import type { FakeLog } from "./log.ts";
import type { Entity, Message, UpdateKind } from "./types.ts";
import type { BotStatus, ChatState, World } from "./world.ts";

/** What a person sends. `data` is base64; without it a file of `size` bytes is declared, all zeros when downloaded. */
export type Content =
  | string
  | { kind: MediaKind; data?: string; size?: number; name?: string; mime?: string; caption?: string; duration?: number }
  | { kind: "location"; latitude: number; longitude: number }
  | { kind: "contact"; phone_number: string; first_name: string; user_id?: number };

export interface SendOptions {
  readonly replyTo?: number;
  /** A topic that `opensTopic` returned. */
  readonly thread?: number;
  readonly entities?: readonly Entity[];
  /** Sent in a chat of a business account that the bot manages (`business_message`). */
  readonly businessConnection?: string;
  readonly album?: string;
  /** The sender is a bot of somebody else's. */
  readonly fromBot?: boolean;
}

/** What happens on the users' side, as data, so that it can come from another process. */
export type Action =
  | { do: "send"; user: number; chat: number; content: Content; options?: SendOptions }
  | { do: "post"; chat: number; content: Content }
  | { do: "edit"; user: number; chat: number; messageId: number; text: string }
  | { do: "press"; user: number; chat: number; messageId: number; data: string }
  | { do: "react"; user: number; chat: number; messageId: number; emoji: readonly string[] }
  | { do: "setBot"; user: number; chat: number; status: BotStatus }
  | { do: "openTopic"; user: number; chat: number; name: string }
  | { do: "stopDraft"; user: number; chat: number; draftId: number };

/** What an action made; `messageId` is 0 where it made no message. */
export interface Done {
  readonly updateId: number;
  readonly messageId: number;
}

/** Performs the action on the bot's world and queues its update. Throws on what no Telegram client could do. */
export function perform(world: World, log: FakeLog, action: Action): Done {
  const state = world.chat(action.chat, action.do === "post" ? { type: "channel" } : undefined);
  const queue = (kind: UpdateKind, payload: unknown, message?: Message): Done => {
    state.lastInbound = log.calls.at(-1)?.seq ?? 0;
    const words = message?.text ?? message?.caption;
    const unseen = message !== undefined && kind !== "channel_post" && !sees(world, state, message);
    const update = { kind, chat: action.chat, payload, unseen };
    const entry = world.updates.push(words === undefined ? update : { ...update, text: words });
    return { updateId: entry.updateId, messageId: message?.message_id ?? 0 };
  };
  switch (action.do) {
    case "send": {
      const { businessConnection, fromBot = false, ...options } = action.options ?? {};
      const message = compose(world, state, action.user, action.content, options);
      if (fromBot && message.from !== undefined) message.from = { ...message.from, is_bot: true };
      if (businessConnection === undefined) return queue("message", message, message);
      return queue("business_message", { business_connection_id: businessConnection, ...message }, message);
    }
    case "post": {
      const message = { sender_chat: state.chat, ...compose(world, state, undefined, action.content, {}) };
      return queue("channel_post", message, message);
    }
    case "edit": {
      const { entities: _old, ...kept } = stored(state, action.messageId);
      const message = store(state, { ...kept, edit_date: unixNow(), ...words("text", action.text) });
      return queue("edited_message", message, message);
    }
    case "press":
      return queue("callback_query", callbackQuery(world, state, action));
    case "react": {
      const place = `${action.messageId} ${action.user}`;
      const before = state.reactions.get(place) ?? [];
      state.reactions.set(place, action.emoji);
      const shape = (all: readonly string[]) => all.map((emoji) => ({ type: "emoji", emoji }));
      return queue("message_reaction", {
        chat: state.chat,
        message_id: stored(state, action.messageId).message_id,
        user: world.user(action.user),
        date: unixNow(),
        old_reaction: shape(before),
        new_reaction: shape(action.emoji),
      });
    }
    case "setBot":
      return queue("my_chat_member", memberUpdate(world, state, action));
    case "openTopic": {
      const created = { forum_topic_created: { name: action.name, icon_color: 7_322_096 } };
      const message = store(state, { ...header(world, state, action.user), ...created, is_topic_message: true });
      message.message_thread_id = message.message_id;
      state.threads.add(message.message_id);
      return queue("message", message, message);
    }
    case "stopDraft":
      return queue("stopped_message_generation", { chat: state.chat, draft_id: action.draftId });
  }
}

function compose(
  world: World,
  state: ChatState,
  user: number | undefined,
  content: Content,
  { replyTo, thread, entities, album }: Omit<SendOptions, "businessConnection" | "fromBot">,
): Message {
  // A message in a topic replies to the topic's first message unless it replies to another.
  const replied = replyTo ?? thread;
  return store(state, {
    ...header(world, state, user),
    ...(thread === undefined ? {} : { message_thread_id: thread, is_topic_message: true }),
    ...(replied === undefined ? {} : { reply_to_message: withoutReply(stored(state, replied)) }),
    ...(album === undefined ? {} : { media_group_id: album }),
    ...fieldsOf(world, content, entities),
  });
}

function header(world: World, state: ChatState, user: number | undefined): Message {
  if (state.botStatus === "left" || state.botStatus === "kicked") {
    throw new Error(`the bot is not in chat ${state.chat.id} (${state.botStatus}): it hears nothing there`);
  }
  if (user !== undefined && state.chat.type === "private" && state.chat.id !== user) {
    throw new Error(`a private chat has its person's id: ${state.chat.id} is not ${user}`);
  }
  const message_id = world.nextMessageId(state.chat);
  const base = { message_id, date: unixNow(), chat: state.chat };
  return user === undefined ? base : { ...base, from: world.user(user) };
}

function fieldsOf(world: World, content: Content, entities?: readonly Entity[]): Partial<Message> {
  if (typeof content === "string") return words("text", content, entities);
  if (content.kind === "location") return { location: { latitude: content.latitude, longitude: content.longitude } };
  if (content.kind === "contact") {
    const { kind: _kind, ...contact } = content;
    return { contact };
  }
  const data = content.data === undefined ? undefined : Buffer.from(content.data, "base64");
  const size = content.size ?? data?.length ?? 1_024;
  const name = content.name ?? `${content.kind}.bin`;
  const file = { size, name, mime: content.mime ?? "application/octet-stream" };
  const added = world.addFile(data === undefined ? file : { ...file, data });
  const caption = content.caption === undefined ? {} : words("caption", content.caption, entities);
  return { ...mediaField(content.kind, added, content.duration), ...caption };
}

function words(key: "text" | "caption", text: string, given?: readonly Entity[]): Partial<Message> {
  const entities = given ?? detectEntities(text);
  return entities.length === 0
    ? { [key]: text }
    : { [key]: text, [key === "text" ? "entities" : "caption_entities"]: entities };
}

function callbackQuery(world: World, state: ChatState, action: Action & { do: "press" }): unknown {
  const message = stored(state, action.messageId);
  const id = world.nextLongId();
  world.openQueries.add(id);
  const chat_instance = String(-5_000_000_000 - Math.abs(state.chat.id));
  return { id, from: world.user(action.user), message, chat_instance, data: action.data };
}

function memberUpdate(world: World, state: ChatState, action: Action & { do: "setBot" }): unknown {
  const member = (status: BotStatus) => ({ user: world.me, status, ...(status === "kicked" ? { until_date: 0 } : {}) });
  const old_chat_member = member(state.botStatus);
  state.botStatus = action.status;
  const base = { chat: state.chat, from: world.user(action.user), date: unixNow() };
  return { ...base, old_chat_member, new_chat_member: member(action.status) };
}

/** Privacy mode: in groups only commands, mentions of the bot and replies to it arrive ("Privacy mode" of Bot Features). */
function sees(world: World, state: ChatState, message: Message): boolean {
  const { chat, botStatus } = state;
  if (world.readsAllGroupMessages || chat.type === "private" || botStatus === "administrator") return true;
  if (message.reply_to_message?.from?.id === world.me.id || message["forum_topic_created"] !== undefined) return true;
  const text = (message.text ?? message.caption ?? "").toLowerCase();
  const name = `@${world.me.username.toLowerCase()}`;
  return (message.entities ?? message.caption_entities ?? []).some(({ type, offset, length }) => {
    const marked = text.slice(offset, offset + length);
    if (type === "mention") return marked === name;
    return type === "bot_command" && (!marked.includes("@") || marked.endsWith(name));
  });
}

function stored(state: ChatState, id: number): Message {
  const message = state.messages.get(id);
  if (message === undefined) throw new Error(`no message ${id} in chat ${state.chat.id}`);
  return message;
}

function store(state: ChatState, message: Message): Message {
  state.messages.set(message.message_id, message);
  return message;
}

function withoutReply({ reply_to_message: _nested, ...message }: Message): Message {
  return message;
}
