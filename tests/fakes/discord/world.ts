import { performance } from "node:perf_hooks";
import type { Attachment, Channel, InteractionEntry, Message, User } from "./types.ts";

const epoch = 1_420_070_400_000;

/** Ids as Discord gives them: time, then a counter; every one higher than the one before. */
export function createIds(): () => string {
  let last = 0n;
  return () => {
    const now = BigInt(Date.now() - epoch) << 22n;
    last = now > last ? now : last + 1n;
    return String(last);
  };
}

export interface World {
  readonly nextId: () => string;
  readonly me: User;
  readonly application: string;
  readonly guild: { readonly id: string; readonly role: string; readonly name: string };
  readonly users: Map<string, User>;
  readonly channels: Map<string, Channel>;
  readonly messages: Map<string, Message>;
  readonly interactions: Map<string, InteractionEntry>;
  readonly files: Map<string, Attachment>;
  readonly commands: Record<string, unknown>[];
  /** The root of addresses of files; set when the server listens. */
  root: string;
  /** Tells the gateway. */
  onDispatch: (t: string, d: unknown, guild: string | undefined) => void;
  in(channel: string): Message[];
  /** The person's direct chat with the bot; opened where there is none. */
  direct(user: User): Channel;
  add(message: NewMessage): Message;
  attach(channel: string, files: readonly NewFile[]): Attachment[];
  /** As REST and the gateway show it. */
  shape(message: Message, full?: boolean): Record<string, unknown>;
}

export interface NewFile {
  readonly name: string;
  readonly bytes: Buffer;
  readonly type?: string;
}

export type NewMessage = Pick<Message, "channel_id" | "author" | "content"> &
  Partial<Omit<Message, "channel_id" | "author" | "content">>;

export function createWorld(): World {
  const nextId = createIds();
  const user = (username: string, bot?: true): User => {
    const base = { id: nextId(), username, global_name: null, discriminator: "0", avatar: null };
    return bot === undefined ? base : { ...base, bot };
  };
  const world: World = {
    nextId,
    me: user("ascent", true),
    application: nextId(),
    guild: { id: nextId(), role: nextId(), name: "Team" },
    users: new Map(),
    channels: new Map(),
    messages: new Map(),
    interactions: new Map(),
    files: new Map(),
    commands: [],
    root: "",
    onDispatch: () => {},
    direct(user) {
      const known = [...world.channels.values()].find(({ recipients }) => recipients?.[0]?.id === user.id);
      if (known !== undefined) return known;
      const channel: Channel = { id: nextId(), type: 1, recipients: [user], last_message_id: null };
      world.channels.set(channel.id, channel);
      world.onDispatch("CHANNEL_CREATE", channel, undefined);
      return channel;
    },
    in: (channel) => [...world.messages.values()].filter((one) => one.channel_id === channel && !one.deleted),
    add(fields) {
      const id = fields.id ?? nextId();
      const message: Message = {
        type: 0,
        timestamp: new Date().toISOString(),
        edited_timestamp: null,
        attachments: [],
        embeds: [],
        components: [],
        flags: 0,
        mentions: [],
        pinged: [],
        before: [],
        at: performance.now(),
        deleted: false,
        ...fields,
        id,
      };
      world.messages.set(id, message);
      const channel = world.channels.get(message.channel_id);
      if (channel !== undefined) channel.last_message_id = id;
      world.onDispatch("MESSAGE_CREATE", world.shape(message, true), channel?.guild_id);
      return message;
    },
    attach: (channel, files) =>
      files.map(({ name, bytes, type }) => {
        const id = nextId();
        const url = `${world.root}/cdn/${channel}/${id}/${encodeURIComponent(name)}`;
        const base = { id, filename: name, size: bytes.length, url, proxy_url: url, bytes };
        const file: Attachment = type === undefined ? base : { ...base, content_type: type };
        world.files.set(id, file);
        return file;
      }),
    shape(message, full = false) {
      const { pinged: _p, before: _b, at: _a, deleted: _d, attachments, interaction, nonce, ...shown } = message;
      const reply = world.messages.get(message.message_reference?.message_id ?? "");
      const guild = world.channels.get(message.channel_id)?.guild_id;
      return {
        ...shown,
        tts: false,
        pinned: false,
        mention_everyone: false,
        mention_roles: [...message.content.matchAll(/<@&(\d+)>/g)].map(([, role]) => role),
        attachments: attachments.map(({ bytes: _bytes, ...file }) => file),
        // History knows neither of them.
        ...(full && nonce !== undefined ? { nonce } : {}),
        ...(full && guild !== undefined ? { guild_id: guild, member: { nick: null, roles: [] } } : {}),
        ...(reply === undefined ? {} : { referenced_message: world.shape(reply) }),
        ...(interaction === undefined ? {} : { interaction_metadata: { id: interaction, type: 2 } }),
      };
    },
  };
  world.users.set(world.me.id, world.me);
  return world;
}
