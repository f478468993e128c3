/** What the gateway tells of servers: which channels there are, how far each has got, and the roles that stand for the bot. */
import { latestOf } from "./snowflake.ts";

export interface Place {
  readonly guild: string;
  /** When the bot came in: what was said before is not for it. */
  readonly joinedAt: number | undefined;
  /** The newest message when the gateway told of the channel. */
  readonly last: string | undefined;
}

export interface Guilds {
  /** Takes every dispatch; ignores what does not concern it. */
  learn(t: string, d: unknown): void;
  readonly ownRoles: { has(role: string): boolean };
  /** Channels and active threads in which people can write. */
  places(): ReadonlyMap<string, Place>;
}

interface Channel {
  readonly id: string;
  readonly type?: number;
  readonly guild_id?: string;
  readonly last_message_id?: string | null;
}

interface Guild {
  readonly id: string;
  readonly joined_at?: string;
  readonly unavailable?: boolean;
  readonly channels?: readonly Channel[];
  readonly threads?: readonly Channel[];
  readonly roles?: readonly Role[];
}

interface Role {
  readonly id: string;
  readonly tags?: { readonly bot_id?: string };
}

/** Text, voice, announcement, threads of three kinds, stage. A forum itself holds no messages. */
const written = new Set([0, 2, 5, 10, 11, 12, 13]);
const threads = new Set([10, 11, 12]);

export function createGuilds(me: () => string): Guilds {
  const ownRoles = new Set<string>();
  const places = new Map<string, Place>();
  const joined = new Map<string, number>();

  function add(channel: Channel, guild = channel.guild_id): void {
    if (guild === undefined || !written.has(channel.type ?? 0)) return;
    // A post's first message has the id of its thread.
    const own = threads.has(channel.type ?? 0) ? [channel.id] : [];
    const last = latestOf([...own, ...[channel.last_message_id ?? places.get(channel.id)?.last ?? []].flat()]);
    places.set(channel.id, { guild, joinedAt: joined.get(guild), last });
  }

  function addRole({ id, tags }: Role): void {
    if (tags?.bot_id === me()) ownRoles.add(id);
  }

  function addGuild(guild: Guild): void {
    if (guild.unavailable === true) return;
    const at = Date.parse(guild.joined_at ?? "");
    if (!Number.isNaN(at)) joined.set(guild.id, at);
    for (const channel of [...(guild.channels ?? []), ...(guild.threads ?? [])]) add(channel, guild.id);
    for (const role of guild.roles ?? []) addRole(role);
  }

  function leave({ id, unavailable }: Guild): void {
    if (unavailable === true) return;
    joined.delete(id);
    for (const [channel, place] of places) if (place.guild === id) places.delete(channel);
  }

  const learners: Readonly<Record<string, (d: never) => void>> = {
    GUILD_CREATE: addGuild,
    GUILD_DELETE: leave,
    GUILD_ROLE_CREATE: ({ role }: { role: Role }) => addRole(role),
    GUILD_ROLE_DELETE: ({ role_id: id }: { role_id: string }) => void ownRoles.delete(id),
    CHANNEL_CREATE: (channel: Channel) => add(channel),
    CHANNEL_UPDATE: (channel: Channel) => add(channel),
    CHANNEL_DELETE: ({ id }: Channel) => void places.delete(id),
    THREAD_CREATE: (channel: Channel) => add(channel),
    THREAD_UPDATE: (channel: Channel) => add(channel),
    THREAD_DELETE: ({ id }: Channel) => void places.delete(id),
    THREAD_LIST_SYNC: ({ threads, guild_id: guild }: { threads: readonly Channel[]; guild_id: string }) => {
      for (const thread of threads) add(thread, guild);
    },
  };

  return {
    learn: (t, d) => learners[t]?.(d as never),
    ownRoles,
    places: () => places,
  };
}
