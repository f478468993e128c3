/**
 * What is durable about where the account has got to: the last message of each channel that the core has, and which direct
 * chats there are, since Discord does not list them to a bot.
 */
import { z } from "zod";
import type { ChannelDeps } from "../../src/channel.ts";
import { ConflictError } from "../../src/errors.ts";
import { recordKey } from "./names.ts";
import { compareIds, idAt } from "./snowflake.ts";

const lastRecord = z.object({ v: z.literal(1), id: z.string() });
const sinceRecord = z.object({ v: z.literal(1), id: z.string() });
/** Channels with their person. */
const directRecord = z.object({ v: z.literal(1), people: z.record(z.string(), z.string()) });
const mostPerRecord = 200;

export interface Places {
  /** The id at which the account began here; the first call settles it. */
  since(): Promise<string>;
  lastOf(channel: string): Promise<string | undefined>;
  /** Resolves when it is durable; an earlier id than the present one changes nothing. */
  advance(channel: string, id: string): Promise<void>;
  /** All direct chats that ever were, channel and person; read once. */
  direct(): Promise<ReadonlyMap<string, string>>;
  /** Resolves when the direct chat would be found by another process. */
  remember(channel: string, user: string): Promise<void>;
  /** The person of a direct chat, as far as it was read or remembered. */
  personOf(channel: string): string | undefined;
}

export function createPlaces({
  records,
  clock,
  ...account
}: Pick<ChannelDeps, "records" | "clock" | "tenant" | "channel" | "account">): Places {
  const key = (...parts: readonly string[]) => recordKey(account, ...parts);
  const known = new Map<string, string>();
  /** What this process wrote last; bounded by the channels that are written in. */
  const last = new Map<string, string>();
  let read: Promise<void> | undefined;
  let began: Promise<string> | undefined;
  let chunk = 0;

  async function readAll(): Promise<void> {
    for (let n = 0; ; n++) {
      const found = await records.get(key("direct", String(n)));
      if (found === undefined) return;
      chunk = n;
      for (const [channel, user] of Object.entries(directRecord.parse(found.value).people)) known.set(channel, user);
    }
  }

  const load = (): Promise<void> =>
    (read ??= readAll().catch((error: unknown) => {
      read = undefined;
      throw error;
    }));

  async function put(channel: string, user: string): Promise<void> {
    for (;;) {
      const at = key("direct", String(chunk));
      const found = await records.get(at);
      const people = found === undefined ? {} : directRecord.parse(found.value).people;
      if (Object.keys(people).length >= mostPerRecord) {
        chunk += 1;
        continue;
      }
      try {
        const value = { v: 1, people: { ...people, [channel]: user } };
        await records.put(at, value, { etag: found?.etag ?? null });
        return;
      } catch (error) {
        if (!(error instanceof ConflictError)) throw error; // another replica added one: look again
      }
    }
  }

  async function settle(): Promise<string> {
    const found = await records.get(key("since"));
    if (found !== undefined) return sinceRecord.parse(found.value).id;
    const id = idAt(clock.now());
    try {
      await records.put(key("since"), { v: 1, id }, { etag: null });
      return id;
    } catch (error) {
      if (!(error instanceof ConflictError)) throw error;
      const now = await records.get(key("since"));
      return now === undefined ? id : sinceRecord.parse(now.value).id;
    }
  }

  return {
    since: () =>
      (began ??= settle().catch((error: unknown) => {
        began = undefined;
        throw error;
      })),
    async lastOf(channel) {
      const found = await records.get(key("last", channel));
      return found === undefined ? undefined : lastRecord.parse(found.value).id;
    },
    async advance(channel, id) {
      const before = last.get(channel);
      if (before !== undefined && compareIds(before, id) >= 0) return;
      await records.put(key("last", channel), { v: 1, id });
      last.set(channel, id);
    },
    async direct() {
      await load();
      return known;
    },
    async remember(channel, user) {
      await load();
      if (known.has(channel)) return;
      await put(channel, user);
      known.set(channel, user);
    },
    personOf: (channel) => known.get(channel),
  };
}
