/**
 * The interactions that were deferred: for fifteen minutes their answer is an edit of what Discord shows. One record per channel,
 * so that whoever answers there knows which of them nobody will answer any more.
 */
import { z } from "zod";
import type { ChannelDeps } from "../../src/channel.ts";
import { ConflictError } from "../../src/errors.ts";
import { createRecent } from "../../src/recent.ts";
import { interactionTypes, type Interaction } from "./interaction.ts";
import { recordKey } from "./names.ts";
import { compareIds } from "./snowflake.ts";

/** A little less than Discord's own time. */
const keptMs = 14.5 * 60_000;
/** In one channel; the answer of one that is let go comes as a message. */
const mostKept = 100;

const pending = z.object({
  /** The interaction. */
  id: z.string(),
  application: z.string(),
  token: z.string(),
  at: z.number(),
  /** Set before its answer is shown for the first time: it shows more than that the bot is thinking. */
  answered: z.literal(true).optional(),
});
const channelRecord = z.object({ v: z.literal(1), kept: z.array(pending) });
export type Pending = z.infer<typeof pending>;
export type Token = Pick<Pending, "application" | "token" | "at">;

export interface Tokens {
  /** Before the interaction is handed over, so that whoever delivers the answer finds it. Nothing for a pressed button. */
  keep(interaction: Interaction): Promise<void>;
  /** Up to this message or interaction, oldest first; without those whose time is over. */
  upTo(channel: string, id: string): Promise<readonly Pending[]>;
  /** Of those up to this one `shows` is going to show its answer, and the others show nothing any more. */
  settle(channel: string, id: string, shows: string | undefined): Promise<void>;
  /** The latest in a channel that this process took in and nobody has answered: where a growing answer shows. */
  pendingIn(channel: string): Pending | undefined;
  answered(channel: string): void;
  /** Nothing follows on this one: what it shows is why. */
  refused(interaction: Interaction): Promise<void>;
}

/** Discord shows that the bot is thinking; after a press it shows nothing. */
export function isDeferred({ type }: Interaction): boolean {
  return type === interactionTypes.command || type === interactionTypes.form;
}

export function createTokens({ records, clock, ...account }: ChannelDeps): Tokens {
  const latest = createRecent<string, Pending>(clock, keptMs);
  const key = (channel: string) => recordKey(account, "interactions", channel);
  const isFresh = ({ at }: Token) => clock.now() - at < keptMs;

  async function read(channel: string) {
    const found = await records.get(key(channel));
    const kept = found === undefined ? [] : channelRecord.parse(found.value).kept.filter(isFresh);
    return { kept, etag: found?.etag ?? null };
  }

  /** Writes nothing where `edit` gives what it was given. */
  async function change(channel: string, edit: (kept: readonly Pending[]) => readonly Pending[]): Promise<void> {
    for (;;) {
      const { kept, etag } = await read(channel);
      const next = edit(kept);
      if (next === kept) return;
      try {
        await records.put(key(channel), { v: 1, kept: next }, { etag, ttlMs: keptMs });
        return;
      } catch (error) {
        if (!(error instanceof ConflictError)) throw error; // another interaction of the channel came: look again
      }
    }
  }

  return {
    async keep(interaction) {
      const { application_id: application, token, id, channel_id: channel } = interaction;
      if (!isDeferred(interaction) || channel === undefined) return;
      const own: Pending = { id, application, token, at: clock.now() };
      // What is handed over once more may be answered by now.
      await change(channel, (kept) => (kept.some((one) => one.id === id) ? kept : bounded([...kept, own])));
      latest.set(channel, own);
    },
    async upTo(channel, id) {
      const { kept } = await read(channel);
      return kept.filter((one) => compareIds(one.id, id) <= 0).toSorted((a, b) => compareIds(a.id, b.id));
    },
    async settle(channel, id, shows) {
      await change(channel, (kept) =>
        kept.flatMap((one): Pending[] => {
          if (one.id === shows) return [{ ...one, answered: true }];
          return one.answered === true || compareIds(one.id, id) > 0 ? [one] : [];
        }),
      );
    },
    pendingIn(channel) {
      const found = latest.get(channel);
      return found !== undefined && isFresh(found) ? found : undefined;
    },
    answered: (channel) => latest.delete(channel),
    async refused({ id, channel_id: channel = "" }) {
      if (latest.get(channel)?.id === id) latest.delete(channel);
      await change(channel, (kept) => (kept.some((one) => one.id === id) ? kept.filter((one) => one.id !== id) : kept));
    },
  };
}

/** Without the oldest, answered ones first, where there are too many. */
function bounded(kept: readonly Pending[]): readonly Pending[] {
  if (kept.length <= mostKept) return kept;
  const [least = kept[0]] = kept.filter(({ answered }) => answered === true);
  return kept.filter((one) => one !== least);
}

/** @see https://discord.com/developers/docs/interactions/receiving-and-responding#edit-original-interaction-response */
export function originalOf({ application, token }: Token): string {
  return `/webhooks/${encodeURIComponent(application)}/${encodeURIComponent(token)}/messages/@original`;
}
