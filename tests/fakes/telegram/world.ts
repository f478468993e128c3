import { createUpdates, type Updates } from "./updates.ts";
import type { FakeLog } from "./log.ts";
import { ApiError, badRequest, type Chat, type ChatType, type Message, type Params, type User } from "./types.ts";

export interface StoredFile {
  readonly fileId: string;
  readonly uniqueId: string;
  readonly path: string;
  readonly size: number;
  readonly name: string;
  readonly mime: string;
  /** Absent for a file that was sent by URL (never fetched) or declared by size only. */
  readonly data?: Uint8Array;
}

export type BotStatus = "member" | "administrator" | "left" | "kicked";

export interface ChatState {
  readonly chat: Chat;
  readonly messages: Map<number, Message>;
  readonly threads: Set<number>;
  /** By message and person, as they are now. */
  readonly reactions: Map<string, readonly string[]>;
  botStatus: BotStatus;
  /** The last call seen before the newest update of this chat: where a wait for a reply begins. */
  lastInbound: number;
}

export interface BotOptions {
  readonly token: string;
  readonly username?: string;
  /** Privacy mode off: the bot reads every group message. Default true. */
  readonly readsAllGroupMessages?: boolean;
}

/** What one bot sees of Telegram. Bots of one fake share nothing but the server and its log. */
export interface World {
  readonly token: string;
  readonly me: User & { readonly username: string };
  readonly readsAllGroupMessages: boolean;
  readonly updates: Updates;
  readonly commands: Map<string, unknown[]>;
  readonly openQueries: Set<string>;
  chat(id: number, define?: Partial<Chat>): ChatState;
  user(id: number): User;
  /** The chat a method names, which must exist and let the bot in. */
  target(params: Params): ChatState;
  nextMessageId(chat: Chat): number;
  /** A fresh media_group_id or id of a callback query. */
  nextLongId(): string;
  addFile(file: Omit<StoredFile, "fileId" | "uniqueId" | "path">): StoredFile;
  fileById(fileId: string): StoredFile | undefined;
  fileByPath(path: string): StoredFile | undefined;
}

export function createWorld(options: BotOptions, log: FakeLog): World {
  const chats = new Map<number, ChatState>();
  const users = new Map<number, User>();
  const files = new Map<string, StoredFile>();
  const paths = new Map<string, StoredFile>();
  const channelCounters = new Map<number, number>();
  let accountCounter = 0;
  let longCounter = 0;
  const id = Number.parseInt(options.token, 10);
  const username = options.username ?? "ascent_test_bot";
  const me = { id, is_bot: true, first_name: "Ascent", username };

  const world: World = {
    token: options.token,
    me,
    readsAllGroupMessages: options.readsAllGroupMessages ?? true,
    updates: createUpdates(id, log),
    commands: new Map(),
    openQueries: new Set(),
    chat(chatId, define) {
      let state = chats.get(chatId);
      if (state === undefined || define !== undefined) {
        const chat = { ...(state?.chat ?? defaultChat(chatId, define?.type)), ...define };
        state = {
          messages: new Map(),
          threads: new Set(),
          reactions: new Map(),
          botStatus: "member",
          lastInbound: 0,
          ...state,
          chat,
        };
        chats.set(chatId, state);
      }
      return state;
    },
    user(userId) {
      let user = users.get(userId);
      if (user === undefined) {
        user = {
          id: userId,
          is_bot: false,
          first_name: `User ${userId}`,
          username: `user${userId}`,
          language_code: "en",
        };
        users.set(userId, user);
      }
      return user;
    },
    target(params) {
      const state = find(chats, params["chat_id"]);
      if (state.botStatus === "member" || state.botStatus === "administrator") return state;
      throw forbidden(state);
    },
    // Private chats and basic groups share the account's counter; supergroups and channels have their own.
    nextMessageId(chat) {
      if (chat.type === "private" || chat.type === "group") return (accountCounter += 1);
      const next = (channelCounters.get(chat.id) ?? 0) + 1;
      channelCounters.set(chat.id, next);
      return next;
    },
    nextLongId: () => String(13_000_000_000_000_000n + BigInt((longCounter += 1))),
    addFile(file) {
      const n = files.size + 1;
      const stored: StoredFile = {
        ...file,
        fileId: Buffer.from(`fake-file-identifier:${id}:${n}`).toString("base64url"),
        uniqueId: `AgAD${n.toString(36).padStart(8, "0")}`,
        path: `files/file_${n}${/\.\w+$/.exec(file.name)?.[0] ?? ""}`,
      };
      files.set(stored.fileId, stored);
      paths.set(stored.path, stored);
      return stored;
    },
    fileById: (fileId) => files.get(fileId),
    fileByPath: (path) => paths.get(path),
  };
  return world;
}

/** The sign and size of an id tell its kind, as in Telegram: users positive, supergroups and channels below -10^12. */
function defaultChat(id: number, type?: ChatType): Chat {
  if (id > 0) return { id, type: "private", first_name: `User ${id}`, username: `user${id}` };
  const kind = type ?? (id < -1_000_000_000_000 ? "supergroup" : "group");
  return { id, type: kind, title: `${kind} ${-id}` };
}

function find(chats: ReadonlyMap<number, ChatState>, id: unknown): ChatState {
  if (id === undefined || id === null || id === "") throw badRequest("chat_id is empty");
  const numeric = Number(id);
  if (Number.isFinite(numeric)) {
    const state = chats.get(numeric);
    if (state !== undefined) return state;
  } else if (typeof id === "string" && id.startsWith("@")) {
    for (const state of chats.values()) {
      if (state.chat.type !== "private" && state.chat.username === id.slice(1)) return state;
    }
  }
  throw badRequest("chat not found");
}

function forbidden({ chat, botStatus }: ChatState): ApiError {
  if (chat.type === "private") return new ApiError(403, "Forbidden: bot was blocked by the user");
  const where = chat.type === "group" ? "group chat" : chat.type === "supergroup" ? "supergroup chat" : "channel chat";
  const reason = botStatus === "kicked" ? "bot was kicked from the" : "bot is not a member of the";
  return new ApiError(403, `Forbidden: ${reason} ${where}`);
}
