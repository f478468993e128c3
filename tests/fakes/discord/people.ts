import { randomBytes } from "node:crypto";
import { performance } from "node:perf_hooks";
import { deletion } from "./messages.ts";
import type { InteractionEntry, Message, User } from "./types.ts";
import type { NewFile, World } from "./world.ts";

export interface Saying {
  readonly files?: readonly NewFile[];
  readonly replyTo?: string;
  /** Its id is that of the thread it opens. */
  readonly id?: string;
}

/** A person on Discord, and what people can do there. */
export interface Person {
  readonly id: string;
  readonly name: string;
  /** The direct chat with the bot; the same every time. */
  direct(): string;
  says(channel: string, content: string, more?: Saying): Message;
  edits(message: string, content: string): void;
  deletes(message: string): void;
  reacts(message: string, emoji: string, added?: boolean): void;
  /** A button, by its id; or an option of a select. Resolves to the interaction when the gateway or the endpoint has it. */
  presses(message: string, button: string): Promise<InteractionEntry>;
  command(channel: string, name: string, options?: Readonly<Record<string, string>>): Promise<InteractionEntry>;
  /** Sends a form that the bot opened. */
  submits(channel: string, form: string, words: string): Promise<InteractionEntry>;
}

/** Brings an interaction to the bot: by the gateway, or by a signed request whose answer is the response. */
export type Carry = (interaction: Record<string, unknown>, entry: InteractionEntry) => Promise<void>;

export function mentionedIn(world: World, content: string): User[] {
  return [...content.matchAll(/<@!?(\d+)>/g)].flatMap(([, named = ""]) => world.users.get(named) ?? []);
}

export function createPerson(world: World, name: string, carry: Carry): Person {
  const user: User = { id: world.nextId(), username: name, global_name: name, discriminator: "0", avatar: null };
  world.users.set(user.id, user);
  const guildOf = (channel: string) => world.channels.get(channel)?.guild_id;

  async function interact(type: number, channel: string, rest: object): Promise<InteractionEntry> {
    const id = world.nextId();
    const entry: InteractionEntry = {
      id,
      token: `interaction-token-${randomBytes(24).toString("base64url")}`,
      channel,
      at: performance.now(),
      response: undefined,
      respondedAt: undefined,
      data: undefined,
      original: undefined,
    };
    world.interactions.set(id, entry);
    const guild = guildOf(channel);
    const who =
      guild === undefined ? { user, context: 1 } : { guild_id: guild, member: { user, nick: null }, context: 0 };
    const base = { id, application_id: world.application, type, token: entry.token, channel_id: channel, version: 1 };
    await carry({ ...base, locale: "en-US", ...who, ...rest }, entry);
    return entry;
  }

  return {
    id: user.id,
    name,
    direct: () => world.direct(user).id,
    says(channel, content, { files = [], replyTo, id } = {}) {
      const mentions = mentionedIn(world, content);
      const target = world.messages.get(replyTo ?? "");
      // Who replies mentions the author, unless they switch it off.
      const all = target === undefined ? mentions : [...mentions, target.author];
      return world.add({
        channel_id: channel,
        author: user,
        content,
        mentions: all,
        attachments: world.attach(channel, files),
        ...(id === undefined ? {} : { id }),
        ...(target === undefined
          ? {}
          : { type: 19, message_reference: { message_id: target.id, channel_id: channel } }),
      });
    },
    edits(id, content) {
      const message = world.messages.get(id);
      if (message === undefined) throw new Error(`no message ${id}`);
      message.before.push(message.content);
      message.content = content;
      message.edited_timestamp = new Date().toISOString();
      world.onDispatch("MESSAGE_UPDATE", world.shape(message, true), guildOf(message.channel_id));
    },
    deletes(id) {
      const message = world.messages.get(id);
      if (message === undefined) throw new Error(`no message ${id}`);
      message.deleted = true;
      world.onDispatch("MESSAGE_DELETE", deletion(world, message), guildOf(message.channel_id));
    },
    reacts(id, emoji, added = true) {
      const channel = world.messages.get(id)?.channel_id ?? "";
      const guild = guildOf(channel);
      const of = guild === undefined ? {} : { guild_id: guild, member: { user, nick: null } };
      const d = { user_id: user.id, channel_id: channel, message_id: id, emoji: { id: null, name: emoji }, ...of };
      world.onDispatch(added ? "MESSAGE_REACTION_ADD" : "MESSAGE_REACTION_REMOVE", d, guild);
    },
    presses(id, button) {
      const message = world.messages.get(id);
      if (message === undefined) throw new Error(`no message ${id}`);
      const chosen = componentsOf(message).find(
        (one) => one.custom_id === button || one.options?.some(({ value }) => value === button) === true,
      );
      if (chosen === undefined) throw new Error(`no button ${button} on ${id}`);
      const values = chosen.options === undefined ? {} : { values: [button] };
      const data = { custom_id: chosen.custom_id, component_type: chosen.type, ...values };
      return interact(3, message.channel_id, { data, message: world.shape(message) });
    },
    command(channel, command, options = {}) {
      const given = Object.entries(options).map(([option, value]) => ({ name: option, type: 3, value }));
      return interact(2, channel, { data: { id: world.nextId(), name: command, type: 1, options: given } });
    },
    submits(channel, form, words) {
      const components = [{ type: 1, components: [{ type: 4, custom_id: "words", value: words }] }];
      return interact(5, channel, { data: { custom_id: form, components } });
    },
  };
}

interface Component {
  readonly type: number;
  readonly custom_id?: string;
  readonly label?: string;
  readonly url?: string;
  readonly options?: readonly { readonly label: string; readonly value: string }[];
}

/** Buttons and selects of a message. */
export function componentsOf(message: Message): readonly Component[] {
  return (message.components as { components?: Component[] }[]).flatMap((row) => row.components ?? []);
}
