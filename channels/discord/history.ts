/**
 * What people wrote while no session listened: fetched from the channels' history behind the last message that the core has, and
 * before that what they edited of the latest ones that it has. Deletions, reactions and presses of that time leave no trace there.
 *
 * After a new session began, a channel is behind until it was looked at; what comes live in it waits for that, so that the
 * order in a channel holds. A session that was resumed missed nothing.
 */
import type { APIMessage } from "discord.js";
import { reasonOf } from "../../src/errors.ts";
import type { Clock, Log } from "../../src/ports.ts";
import { createRecent } from "../../src/recent.ts";
import type { DiscordApi } from "./api.ts";
import type { Guilds } from "./guilds.ts";
import type { Arrived } from "./intake.ts";
import type { Places } from "./places.ts";
import type { Queue } from "./queue.ts";
import { compareIds, idAt, latestOf, timeOf } from "./snowflake.ts";
import type { Waits } from "../../src/waits.ts";

const perPage = 100;
/** So many of the latest messages of a channel are looked at for edits. */
const mostEdited = 50;
const atOnce = 4;
/** Not more than this waits for the core while there is more to fetch. */
const mostQueued = 1_000;
/** Discord's clock and ours may differ by that much. */
const clockErrorMs = 60_000;

export interface HistoryOptions {
  readonly api: DiscordApi;
  readonly guilds: Guilds;
  readonly places: Places;
  readonly queue: Queue;
  readonly waits: Waits;
  readonly log: Log;
  readonly about: Readonly<Record<string, unknown>>;
  readonly clock: Clock;
  readonly missedMs: number;
  /** So much waits in memory: what comes live beyond it is let go, and fetched when there is room. */
  readonly mostWaiting: number;
}

export interface History {
  /** A new session began: every channel is behind. */
  begin(): void;
  /** These may have got on while nobody listened. Called when the gateway names them. */
  look(channels: Iterable<string>): void;
  /** From the gateway: goes on at once, or when its channel is no longer behind. */
  live(channel: string, arrived: Arrived): void;
}

/** What may have been missed in a channel. */
interface Missed {
  /** Messages up to here are not looked at: they are too old, or were not for the bot. */
  readonly floor: string;
  /** The last one that the core has. */
  readonly last: string | undefined;
  /** Behind which message to ask for new ones; undefined where there are none. */
  readonly after: string | undefined;
}

export function createHistory(options: HistoryOptions, signal: AbortSignal): History {
  const { api, guilds, places, queue, waits, log, about, clock, missedMs } = options;
  const now = () => clock.now();
  /** What was fetched comes live too, where it was sent meanwhile. */
  const fetched = createRecent<string, true>(clock);
  /** Looked at in this session. */
  let current = new Set<string>();
  let startedAt = now();
  /** To be looked at, in this order. */
  const behind = new Set<string>();
  const held = new Map<string, Arrived[]>();
  let heldCount = 0;
  /** Something that came live here was let go. */
  const lossy = new Set<string>();
  /** Being looked at: one call at a time each. */
  const active = new Set<string>();

  /** Undefined where nothing can have been missed. */
  async function missedIn(channel: string, force: boolean): Promise<Missed | undefined> {
    const place = guilds.places().get(channel);
    const oldest = idAt(Math.max(now() - missedMs, place?.joinedAt ?? 0));
    const mayLack = (id: string) => force || place === undefined || compareIds(place.last ?? "0", id) > 0;
    // Most channels are quiet: what is durable about those is not even read.
    if (!mayLack(oldest)) return undefined;
    const last = await places.lastOf(channel);
    const since = await places.since();
    const after = latestOf([oldest, last ?? since]) ?? oldest;
    return { floor: latestOf([oldest, since]) ?? oldest, last, after: mayLack(after) ? after : undefined };
  }

  /** Messages that the core has and that were edited since the last one came: the core knows an edit that it has seen. */
  async function editedIn(channel: string, { floor, last }: Missed): Promise<readonly APIMessage[]> {
    if (last === undefined || compareIds(last, floor) <= 0) return [];
    const since = timeOf(last) ?? 0;
    const latest = await page(channel, { before: String(BigInt(last) + 1n), limit: String(mostEdited) });
    return latest.filter(
      ({ id, edited_timestamp: edited }) => compareIds(id, floor) > 0 && Date.parse(edited ?? "") >= since,
    );
  }

  async function page(channel: string, query: Readonly<Record<string, string>>): Promise<readonly APIMessage[]> {
    const route = `/channels/${encodeURIComponent(channel)}/messages`;
    const asked = { method: "GET", route, query, signal } as const;
    const found = await api.attempt<APIMessage[], []>("get history", asked, ({ status }) => {
      if (status !== 403 && status !== 404) return undefined;
      if (status === 403) log.warn({ ...about, chat: channel }, "discord: give the bot Read Message History here");
      return [];
    });
    return found.toSorted((a, b) => compareIds(a.id, b.id));
  }

  async function fetchMissed(channel: string, force: boolean): Promise<void> {
    let count = 0;
    await queue.room(mostQueued);
    const missed = await missedIn(channel, force);
    if (missed === undefined) return;
    const enqueue = (t: string, messages: readonly APIMessage[]) => {
      const guild = guilds.places().get(channel)?.guild ?? guildIn(held.get(channel)?.[0]?.d);
      const of = guild === undefined ? {} : { guild_id: guild };
      queue.add(messages.map((message) => ({ t, s: null, d: { ...message, ...of }, session: "history" })));
    };
    enqueue("MESSAGE_UPDATE", await editedIn(channel, missed));
    let { after } = missed;
    while (after !== undefined && !signal.aborted) {
      const messages = await page(channel, { after, limit: String(perPage) });
      enqueue("MESSAGE_CREATE", messages);
      for (const { id } of messages) fetched.set(id, true);
      count += messages.length;
      after = messages.length < perPage ? undefined : messages.at(-1)?.id;
      await queue.room(mostQueued);
    }
    if (count > 0) log.info({ ...about, messages: count }, "discord: what was missed in a channel is fetched");
  }

  async function catchUp(channel: string): Promise<void> {
    const session = current;
    const force = lossy.delete(channel);
    await waits.insist(
      signal,
      () => fetchMissed(channel, force),
      (error) => log.warn({ ...about, reason: reasonOf(error) }, "discord: history is not to be had now"),
    );
    // A new session began meanwhile, or something was let go.
    if (session !== current || lossy.has(channel)) behind.add(channel);
    else release(channel);
  }

  /** The channel is no longer behind: what came live goes on. */
  function release(channel: string): void {
    current.add(channel);
    queue.add(takeHeld(channel).filter(isNew));
  }

  function takeHeld(channel: string): readonly Arrived[] {
    const waited = held.get(channel) ?? [];
    held.delete(channel);
    heldCount -= waited.length;
    return waited;
  }

  /** What was held for the channel is in its history too, in its place, edits of the latest messages too. Other changes are lost. */
  function letGo(channel: string): void {
    if (lossy.size === 0) log.warn(about, "discord: more comes in than is accepted: it will be fetched later");
    takeHeld(channel);
    current.delete(channel);
    lossy.add(channel);
    behind.add(channel);
    work();
  }

  function isNew({ t, d }: Arrived): boolean {
    const { id } = d as { id: string };
    if (t !== "MESSAGE_CREATE" || fetched.get(id) === undefined) return true;
    fetched.delete(id);
    return false;
  }

  function work(): void {
    for (const channel of behind) {
      if (active.size >= atOnce || signal.aborted) return;
      if (active.has(channel)) continue;
      behind.delete(channel);
      if (current.has(channel)) continue;
      active.add(channel);
      void catchUp(channel)
        .catch((error: unknown) => {
          release(channel);
          log.error({ ...about, reason: reasonOf(error) }, "discord: what was missed in a channel cannot be fetched");
        })
        .finally(() => {
          active.delete(channel);
          work();
        });
    }
  }

  return {
    begin() {
      current = new Set();
      startedAt = now();
    },
    look(channels) {
      for (const channel of channels) {
        current.delete(channel);
        behind.add(channel);
      }
      work();
    },
    live(channel, arrived) {
      // A channel that came into being in this session had nothing to miss.
      if (lossy.has(channel) || queue.size + heldCount >= options.mostWaiting) return letGo(channel);
      if (!current.has(channel) && (timeOf(channel) ?? 0) > startedAt + clockErrorMs) current.add(channel);
      if (current.has(channel)) return queue.add(isNew(arrived) ? [arrived] : []);
      heldCount += 1;
      const waiting = held.get(channel);
      if (waiting !== undefined) return void waiting.push(arrived);
      held.set(channel, [arrived]);
      if (active.has(channel)) return;
      behind.add(channel);
      work();
    },
  };
}

function guildIn(d: unknown): string | undefined {
  return (d as { guild_id?: string } | undefined)?.guild_id;
}
