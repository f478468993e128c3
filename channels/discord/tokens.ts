/** The tokens of interactions that were deferred: for fifteen minutes their answer is an edit of what Discord shows. */
import { z } from "zod";
import type { ChannelDeps } from "../../src/channel.ts";
import { createRecent } from "../../src/recent.ts";
import { interactionTypes, type Interaction } from "./interaction.ts";
import { recordKey } from "./names.ts";

/** A little less than Discord's own time. */
const keptMs = 14.5 * 60_000;

const tokenRecord = z.object({ v: z.literal(1), application: z.string(), token: z.string(), at: z.number() });
export type Token = z.infer<typeof tokenRecord>;

export interface Pending {
  /** The interaction. */
  readonly id: string;
  readonly token: Token;
}

export interface Tokens {
  /** Before the interaction is handed over, so that whoever delivers the answer finds it. Nothing for a pressed button. */
  keep(interaction: Interaction): Promise<void>;
  /** Undefined where its time is over. */
  of(interaction: string): Promise<Token | undefined>;
  /** The latest in a channel that this process took in and nobody has answered: where a growing answer shows. */
  pendingIn(channel: string): Pending | undefined;
  answered(channel: string): void;
  /** Nothing follows on this one. */
  refused(interaction: Interaction): void;
}

/** Discord shows that the bot is thinking; after a press it shows nothing. */
export function isDeferred({ type }: Interaction): boolean {
  return type === interactionTypes.command || type === interactionTypes.form;
}

export function createTokens({ records, clock, ...account }: ChannelDeps): Tokens {
  const pending = createRecent<string, Pending>(clock, keptMs);
  const key = (id: string) => recordKey(account, "interaction", id);
  const isFresh = ({ at }: Token) => clock.now() - at < keptMs;
  return {
    async keep(interaction) {
      if (!isDeferred(interaction)) return;
      const { application_id: application, token, id, channel_id: channel } = interaction;
      const kept: Token = { v: 1, application, token, at: clock.now() };
      await records.put(key(id), kept, { ttlMs: keptMs });
      if (channel !== undefined) pending.set(channel, { id, token: kept });
    },
    async of(id) {
      const found = await records.get(key(id));
      const token = found === undefined ? undefined : tokenRecord.parse(found.value);
      return token !== undefined && isFresh(token) ? token : undefined;
    },
    pendingIn(channel) {
      const found = pending.get(channel);
      return found !== undefined && isFresh(found.token) ? found : undefined;
    },
    answered: (channel) => pending.delete(channel),
    refused({ id, channel_id: channel = "" }) {
      if (pending.get(channel)?.id === id) pending.delete(channel);
    },
  };
}

/** @see https://discord.com/developers/docs/interactions/receiving-and-responding#edit-original-interaction-response */
export function originalOf({ application, token }: Token): string {
  return `/webhooks/${encodeURIComponent(application)}/${encodeURIComponent(token)}/messages/@original`;
}
