/**
 * Whether an earlier attempt reached Discord: its nonce holds for minutes only and is not kept with the message, so that an
 * older attempt is looked for in the channel's history.
 */
import type { APIMessage } from "discord.js";
import { z } from "zod";
import type { ChannelDeps, Outgoing, SendContext } from "../../src/channel.ts";
import { reasonOf } from "../../src/errors.ts";
import { createRecent } from "../../src/recent.ts";
import type { DiscordApi } from "./api.ts";
import { namedBy, recordKey } from "./names.ts";
import { compareIds, latestOf } from "./snowflake.ts";

const sentRecord = z.object({ v: z.literal(1), key: z.string(), id: z.string() });
const perPage = 100;
const mostPages = 3;

export interface SentMessages {
  /** The id of the message that an earlier attempt of this part left; undefined where there is none. */
  find(part: Outgoing, context: SendContext, words: string): Promise<string | undefined>;
  /** After every send: what is looked for later stands behind it. Best effort. */
  remember(context: SendContext, id: string): Promise<void>;
}

export function createSentMessages(deps: ChannelDeps, api: DiscordApi, me: () => Promise<string>): SentMessages {
  const { records, clock, log } = deps;
  /** By id, what this process sent: identical words of another part are no earlier attempt of this one. */
  const others = createRecent<string, string>(clock, 3_600_000);
  const recordOf = (chat: string) => recordKey(deps, "sent", chat);

  async function search(
    after: string,
    part: Outgoing,
    context: SendContext,
    words: string,
  ): Promise<string | undefined> {
    const route = `/channels/${encodeURIComponent(context.to.chat)}/messages`;
    const own = await me();
    let from = after;
    for (let page = 0; page < mostPages; page++) {
      const query = { after: from, limit: String(perPage) };
      const asked = { method: "GET", route, query, signal: context.signal } as const;
      // Where the history is not to be read, the nonce has to do.
      const found = await api.attempt<APIMessage[], APIMessage[]>("look for a sent message", asked, ({ status }) =>
        status === 403 || status === 404 ? [] : undefined,
      );
      const messages = found.toSorted((a, b) => compareIds(a.id, b.id));
      const match = messages.find((message) => {
        const key = others.get(message.id);
        return message.author.id === own && (key === undefined || key === context.key) && isSame(message, part, words);
      });
      if (match !== undefined) return match.id;
      const last = messages.at(-1);
      if (messages.length < perPage || last === undefined) return undefined;
      from = last.id;
    }
    return undefined;
  }

  return {
    async find(part, context, words) {
      const { chat } = context.to;
      const found = await records.get(recordOf(chat));
      const last = found === undefined ? undefined : sentRecord.parse(found.value);
      if (last?.key === context.key) return last.id;
      const answered = context.answers.flatMap((id) => namedBy(id, chat)?.id ?? []);
      const after = latestOf([...answered, ...(last === undefined ? [] : [last.id])]);
      return search(after ?? "0", part, context, words);
    },
    async remember({ to, key }, id) {
      others.set(id, key);
      try {
        await records.put(recordOf(to.chat), { v: 1, key, id });
      } catch (error) {
        log.warn({ conversation: to.conversation, reason: reasonOf(error) }, "discord: a sent message is not noted");
      }
    },
  };
}

function isSame(message: APIMessage, part: Outgoing, words: string): boolean {
  if (message.content.trim() !== words.trim()) return false;
  if (part.kind !== "media") return message.attachments.length === 0;
  return message.attachments.length === 1 || message.embeds.length === 1;
}
