/**
 * The conversations that began since there are keys that may read: the newest of each tenant, in a few records of bounded size. What
 * was said in them is their agents' own, and asked of these.
 */
import { createHash } from "node:crypto";
import { z } from "zod";
import type { Holdings } from "../../../src/agent-calls.ts";
import type { Announcement } from "../../../src/announce.ts";
import { ConflictError } from "../../../src/errors.ts";
import { agentIdOf, encodePart, type AgentId, type ConversationId, type ParticipantId } from "../../../src/ids.ts";
import type { Clock, Records } from "../../../src/ports.ts";

const shards = 16;
const perShard = 128;
const mostTries = 20;
/** Conversations whose agents are asked in one search, and so many at once. */
const mostSearched = 200;
const atOnce = 8;
const searchMs = 20_000;
const snippetChars = 300;

const entry = z.object({
  conversation: z.string().transform((id) => id as ConversationId),
  channel: z.string(),
  account: z.string(),
  kind: z.enum(["direct", "group"]),
  chat: z.string(),
  thread: z.string().optional(),
  participant: z.object({
    id: z.string().transform((id) => id as ParticipantId),
    user: z.string(),
    name: z.string().optional(),
  }),
  at: z.number(),
});
export type Entry = Readonly<z.infer<typeof entry>>;
const shard = z.object({ v: z.literal(1), entries: z.array(entry) });
const fact = entry.omit({ at: true }).extend({ tenant: z.string() });

export interface Found {
  readonly entry: Entry;
  readonly role: string;
  readonly text: string;
  readonly at: number;
}

export interface Conversations {
  /** Of what is announced, the conversations that begin. The same again changes nothing. */
  note(facts: readonly Announcement[]): Promise<void>;
  /** Forgets them. */
  erase(conversations: readonly string[]): Promise<void>;
  /** The newest first. */
  list(tenant: string): Promise<readonly Entry[]>;
  /** In what the agents of the newest ones remember: recent items, and the summary of older ones. */
  search(tenant: string, words: string, limit: number): Promise<readonly Found[]>;
}

export interface ConversationsOptions {
  readonly records: Records;
  readonly clock: Clock;
  readonly holdings: (agent: AgentId) => Promise<Holdings>;
}

export function createConversations({ records, clock, holdings }: ConversationsOptions): Conversations {
  /** A conversation's id begins with its tenant in this form. */
  const keyOfEncoded = (tenant: string, n: number) => `mcp:conversations:${tenant}:${n}`;
  const keyOf = (tenant: string, n: number) => keyOfEncoded(encodePart(tenant), n);

  async function change(key: string, next: (entries: readonly Entry[]) => readonly Entry[]): Promise<void> {
    for (let tries = 1; ; tries++) {
      const stored = await records.get(key);
      const before = stored === undefined ? [] : shard.parse(stored.value).entries;
      const after = next(before);
      if (after === before) return;
      try {
        await records.put(key, { v: 1, entries: after }, { etag: stored?.etag ?? null });
        return;
      } catch (error) {
        if (!(error instanceof ConflictError) || tries === mostTries) throw error;
      }
    }
  }

  async function list(tenant: string): Promise<readonly Entry[]> {
    const all = await Promise.all(Array.from({ length: shards }, (_, n) => records.get(keyOf(tenant, n))));
    const entries = all.flatMap((stored) => (stored === undefined ? [] : shard.parse(stored.value).entries));
    return entries.toSorted((a, b) => b.at - a.at);
  }

  return {
    list,
    async note(facts) {
      for (const { type, data, at, of: account } of facts) {
        // What programs ask here is theirs alone.
        if (type !== "conversation.started" || account.channel === "mcp") continue;
        const { tenant, ...of } = fact.parse(data);
        await change(keyOf(tenant, shardOf(of.conversation)), (entries) => {
          if (entries.some(({ conversation }) => conversation === of.conversation)) return entries;
          return [...entries, { ...of, at }].slice(-perShard);
        });
      }
    },
    async erase(conversations) {
      for (const conversation of conversations) {
        const [tenant = ""] = conversation.split(":", 1);
        await change(keyOfEncoded(tenant, shardOf(conversation)), (entries) => {
          const rest = entries.filter((one) => one.conversation !== conversation);
          return rest.length === entries.length ? entries : rest;
        });
      }
    },
    async search(tenant, words, limit) {
      const until = clock.monotonic() + searchMs;
      const wanted = words.toLowerCase();
      // Several conversations of one person have one agent.
      const agents = new Map(
        (await list(tenant))
          .slice(0, mostSearched)
          .toReversed()
          .map((one) => [agentOf(one), one] as const),
      );
      const left = [...agents].toReversed();
      const found: Found[] = [];
      const work = async () => {
        for (let next = left.shift(); next !== undefined; next = left.shift()) {
          if (found.length >= limit || clock.monotonic() >= until) return;
          const [agent, of] = next;
          found.push(...hits(await holdings(agent), of, wanted));
        }
      };
      await Promise.all(Array.from({ length: atOnce }, work));
      return found.toSorted((a, b) => b.at - a.at).slice(0, limit);
    },
  };
}

function agentOf({ kind, participant, conversation }: Entry): AgentId {
  return agentIdOf(kind, participant.id, conversation);
}

function shardOf(conversation: string): number {
  return (createHash("sha256").update(conversation).digest()[0] ?? 0) % shards;
}

function hits({ items, summary }: Holdings, of: Entry, wanted: string): Found[] {
  const past = summary === undefined ? [] : [{ role: "summary", text: summary, at: items[0]?.at ?? of.at }];
  return [...past, ...items].flatMap(({ role, text, at }) => {
    const place = text.toLowerCase().indexOf(wanted);
    if (place === -1) return [];
    const from = Math.max(0, place - snippetChars / 3);
    return [{ entry: of, role, text: text.slice(from, from + snippetChars).toWellFormed(), at }];
  });
}
