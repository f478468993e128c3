import type { Action, Content, Done, SendOptions } from "./actions.ts";
import type { Commands } from "./control.ts";
import type { DriveOptions, DriveReport } from "./drive.ts";
import type { Fault } from "./faults.ts";
import type { CallEntry, UpdateEntry } from "./log.ts";
import type { Chat } from "./types.ts";
import type { BotStatus } from "./world.ts";

/** Runs a control command, here or in another process. */
export type RunCommand = <Name extends keyof Commands>(
  name: Name,
  request: Parameters<Commands[Name]>[0] extends undefined
    ? Record<never, never>
    : NonNullable<Parameters<Commands[Name]>[0]>,
) => Promise<Awaited<ReturnType<Commands[Name]>>>;

/** A person. Chats come into being when first used; a private chat has the person's own id. */
export interface UserDriver {
  readonly id: number;
  sends(chat: number, content: Content, options?: SendOptions): Promise<Done>;
  /** Several media as one album: one update each, with the same media_group_id. */
  sendsAlbum(chat: number, items: readonly Content[], options?: SendOptions): Promise<Done[]>;
  edits(chat: number, messageId: number, text: string): Promise<Done>;
  /** Presses an inline button: a callback_query with its data. */
  presses(chat: number, messageId: number, data: string): Promise<Done>;
  reacts(chat: number, messageId: number, ...emoji: string[]): Promise<Done>;
  /** Adds, promotes, removes or (in a private chat, "kicked") blocks the bot: my_chat_member. */
  setsBot(chat: number, status: BotStatus): Promise<Done>;
  /** Opens a topic of a forum. Its `messageId` is the thread. */
  opensTopic(chat: number, name: string): Promise<Done>;
  /** Presses "stop" on a draft: stopped_message_generation. */
  stopsDraft(draftId: number): Promise<Done>;
}

export interface TelegramDriver {
  user(id: number): UserDriver;
  /** Posts in a channel. */
  posts(channel: number, content: Content): Promise<Done>;
  /** Sets what a chat is: its type, title, username, is_forum. */
  defineChat(chat: Partial<Chat> & { id: number }): Promise<void>;
  /**
   * The first answer in the chat (message or edit, not a draft) that the predicate takes, looking back to the chat's
   * newest update or past the call `after`. Rejects after `timeoutMs` (default 5000), naming what it saw instead.
   */
  waitForReply(
    chat: number,
    predicate?: (call: CallEntry) => boolean,
    options?: { readonly timeoutMs?: number; readonly after?: number },
  ): Promise<CallEntry>;
  fault(fault: Fault): Promise<void>;
  clearFaults(): Promise<void>;
  calls(after?: number): Promise<CallEntry[]>;
  updates(): Promise<UpdateEntry[]>;
  redeliver(updateId: number, times?: number): Promise<number[]>;
  drive(options: DriveOptions): Promise<DriveReport>;
  clearLog(): Promise<void>;
}

export function createDriver(run: RunCommand, bot?: string): TelegramDriver {
  const named = bot === undefined ? {} : { bot };
  const act = (action: Action) => run("perform", { ...named, action });

  const user = (id: number): UserDriver => {
    const send = (chat: number, content: Content, options: SendOptions) =>
      act({ do: "send", user: id, chat, content, options });
    return {
      id,
      sends: (chat, content, options = {}) => send(chat, content, options),
      async sendsAlbum(chat, items, options) {
        const album = await run("album", named);
        const sent: Done[] = [];
        for (const item of items) sent.push(await send(chat, item, { ...options, album }));
        return sent;
      },
      edits: (chat, messageId, text) => act({ do: "edit", user: id, chat, messageId, text }),
      presses: (chat, messageId, data) => act({ do: "press", user: id, chat, messageId, data }),
      reacts: (chat, messageId, ...emoji) => act({ do: "react", user: id, chat, messageId, emoji }),
      setsBot: (chat, status) => act({ do: "setBot", user: id, chat, status }),
      opensTopic: (chat, name) => act({ do: "openTopic", user: id, chat, name }),
      stopsDraft: (draftId) => act({ do: "stopDraft", user: id, chat: id, draftId }),
    };
  };

  return {
    user,
    posts: (chat, content) => act({ do: "post", chat, content }),
    async defineChat(chat) {
      await run("chat", { ...named, chat });
    },
    async waitForReply(chat, predicate = () => true, { timeoutMs = 5_000, after } = {}) {
      const deadline = performance.now() + timeoutMs;
      const from = after ?? (await run("lastInbound", { ...named, chat }));
      for (let known = 0; ;) {
        const waitMs = Math.max(0, deadline - performance.now());
        const answers = await run("replies", { ...named, chat, after: from, known, waitMs });
        const found = answers.find(predicate);
        if (found !== undefined) return found;
        if (waitMs === 0)
          throw new Error(`no such reply in chat ${chat}: ${JSON.stringify(answers.map((call) => call.text))}`);
        known = answers.length;
      }
    },
    async fault(fault) {
      await run("fault", fault);
    },
    async clearFaults() {
      await run("clearFaults", {});
    },
    calls: (after = 0) => run("calls", { after }),
    updates: () => run("updates", {}),
    redeliver: (updateId, times = 1) => run("redeliver", { updateId, times }),
    drive: (options) => run("drive", { ...named, ...options }),
    async clearLog() {
      await run("clearLog", {});
    },
  };
}
