/** Conversations that have a name, as their owner may read them: in the transcript, where the web chat keeps its own. */
import { createHash } from "node:crypto";
import { z } from "zod";
import type { ChannelDeps } from "../../src/channel.ts";
import type { ConversationId } from "../../src/ids.ts";

const entry = z.object({
  v: z.literal(1),
  role: z.enum(["user", "assistant"]),
  text: z.string(),
  notice: z.boolean().optional(),
});
export type Said = z.infer<typeof entry>;

export interface Item extends Said {
  readonly id: string;
}

export function createConversations({ transcript }: ChannelDeps) {
  return {
    /** Under `key` once, however often. */
    async add(conversation: ConversationId, key: string, said: Omit<Said, "v">): Promise<string> {
      const id = `msg_${createHash("sha256").update(key).digest("base64url").slice(0, 32)}`;
      await transcript.append(conversation, id, { v: 1, ...said });
      return id;
    },
    /** The newest first, from before the item of this id on; undefined where there is none. */
    async list(conversation: ConversationId, limit: number, after?: string) {
      const start = after === undefined ? undefined : await transcript.get(conversation, after);
      if (after !== undefined && start === undefined) return undefined;
      const before = start?.n ?? Number.MAX_SAFE_INTEGER;
      const stored = await transcript.list(conversation, { before, limit: limit + 1 });
      const items = stored.toReversed().slice(0, limit);
      return {
        more: stored.length > limit,
        items: items.flatMap(({ key, entry: kept }): Item[] => {
          const read = entry.safeParse(kept);
          return read.success ? [{ id: key, ...read.data }] : [];
        }),
      };
    },
  };
}
export type Conversations = ReturnType<typeof createConversations>;
