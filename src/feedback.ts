/**
 * Thumbs on answers: what a platform calls an answer is kept while it may be rated, a rating is a record beside the conversation, and
 * what was rated low goes to those who review. A rating starts no turn and is nothing that the agent is told.
 *
 * Where nobody rates answers none of this is there: nothing is written.
 */
import { z } from "zod";
import { answerRated, type Announce } from "./announce.ts";
import type { Channel } from "./channel.ts";
import { ConflictError, reasonOf } from "./errors.ts";
import { digestOf, encodePart, type AccountRef, type MessageId } from "./ids.ts";
import type { InboundEvent, OutboundEvent } from "./message.ts";
import type { Clock, Log, Records, Transcript } from "./ports.ts";
import {
  answerIdOf,
  changeOf,
  countOf,
  rated,
  ratedAnswer,
  rating,
  thumbOf,
  type Change,
  type Emoji,
  type RatedAnswer,
  type Rating,
  type Ratings,
} from "./rating.ts";
import type { Reviews } from "./reviews.ts";
import { createRotatingLog } from "./rotating-log.ts";

export interface SentPart {
  readonly key: string;
  readonly last: boolean;
  /** Absent before it is sent; undefined where the platform tells none. */
  readonly sent?: { readonly id: string | undefined };
}

export interface Feedback extends Ratings {
  /**
   * Before a part of an answer is sent, and again with `id` once its platform has it and calls it so. Never rejects: at worst nobody can
   * rate it.
   */
  keep(channel: Channel, entry: OutboundEvent, part: SentPart): Promise<void>;
  /** Somebody reacted to a message, perhaps to an answer. The same event again changes nothing. @throws InfrastructureError */
  reacted(event: Extract<InboundEvent, { kind: "reacted" }>): Promise<void>;
  /** The latest rated first; of these tenants. */
  list(tenants: readonly string[], limit: number): Promise<readonly Rating[]>;
  /** All of these conversations. */
  held(conversations: readonly string[]): Promise<readonly Rating[]>;
  forget(conversations: readonly string[]): Promise<void>;
}

export interface FeedbackOptions {
  readonly records: Records;
  readonly transcript: Transcript;
  readonly clock: Clock;
  readonly log: Log;
  readonly channelOf: (to: AccountRef) => Channel | undefined;
  readonly reviews: Reviews;
  readonly announce?: Announce | undefined;
  readonly emoji: Emoji;
  readonly asks: boolean;
  /** How long an answer can be rated, and a rating is kept. */
  readonly keptMs: number;
  /** What a person is called here, which tells nobody who they are. */
  readonly pseudonymOf: (person: string) => string;
}

const mostTries = 20;
/** Of those that a person is shown their thumbs at. */
const mostShown = 100;
/** How far back is looked. */
const furthest = 10_000;
const pageSize = 200;
const forgotten = z.object({ at: z.number() });

export function createFeedback(options: FeedbackOptions): Feedback {
  const { records, transcript, clock, log, channelOf, reviews, announce, keptMs } = options;
  const index = createRotatingLog(transcript, clock, keptMs);

  /** Undefined also where the person has had it forgotten. */
  async function find(account: AccountRef, target: MessageId): Promise<RatedAnswer | undefined> {
    if (!target.startsWith(`${prefixOf(account)}:`)) return undefined;
    const known = ratedAnswer.safeParse((await records.get(targetKey(target)))?.value).data;
    if (known === undefined) return undefined;
    const gone = forgotten.safeParse((await records.get(`forgotten:${digestOf(known.agent)}`))?.value).data;
    return gone !== undefined && gone.at >= known.at ? undefined : known;
  }

  /** What must be found again is noted before it is there; the record is the last step, so that all of it is done again until then. */
  async function settle(answer: RatedAnswer, target: MessageId, who: string, change: Change): Promise<void> {
    const { tenant, conversation } = answer.to;
    const id = answerIdOf({ conversation, seq: answer.seq });
    for (let tries = 1; ; tries += 1) {
      const row = await records.get(ratingKey(id));
      const before = rating.safeParse(row?.value).data ?? { ...answer, id, target, voices: [] };
      const after = rated(before, who, change, clock.now());
      if (after === before) return;
      await Promise.all([
        transcript.append(conversationLog(conversation), id, { v: 1 }),
        index.add(tenantLog(tenant), id),
      ]);
      await tell(before, after, who, change.order);
      try {
        await records.put(ratingKey(id), after, { etag: row?.etag ?? null, ttlMs: keptMs });
        return;
      } catch (error) {
        if (!(error instanceof ConflictError) || tries === mostTries) throw error;
      }
    }
  }

  async function tell(before: Rating, after: Rating, who: string, order: number): Promise<void> {
    const voice = after.voices.find((one) => one.who === who);
    if (voice === undefined) return;
    await announce?.([answerRated(after, voice, order)]);
    const [was, is] = [countOf(before).down, countOf(after).down];
    if (is > 0) await reviews.add(after, ["thumbs-down"]);
    else if (was > 0) await reviews.withdraw(after.id, "thumbs-down");
  }

  async function idsOf(conversation: string, limit: number): Promise<string[]> {
    const ids: string[] = [];
    for (let before = Number.MAX_SAFE_INTEGER; ids.length < limit;) {
      const most = Math.min(pageSize, limit - ids.length);
      const page = await transcript.list(conversationLog(conversation), { before, limit: most });
      ids.push(...page.toReversed().map(({ key }) => key));
      if (page.length < most) break;
      before = page[0]?.n ?? 0;
    }
    return ids;
  }

  const read = async (id: string) => rating.safeParse((await records.get(ratingKey(id)))?.value).data;
  const readAll = async (ids: readonly string[]) =>
    (await Promise.all(ids.map(read))).filter((one) => one !== undefined);

  return {
    asks: options.asks,
    async keep(channel, entry, { key, last, sent }) {
      const { agent, to, seq, answers, at, made } = entry;
      const { ratedAs } = channel;
      if (made === undefined || ratedAs === undefined) return;
      try {
        const answer: RatedAnswer = { v: 1, agent, to, seq, answers, at, made };
        const before = ratedAs({ to, key, answers });
        const after = sent?.id === undefined ? [] : ratedAs({ to, key, answers, id: sent.id });
        const targets = sent === undefined ? before : after.filter((target) => !before.includes(target));
        await Promise.all(targets.map((target) => records.put(targetKey(target), answer, { ttlMs: keptMs })));
        if (sent !== undefined && last && made.doubts !== undefined) await reviews.add(answer, made.doubts);
      } catch (error) {
        log.warn({ conversation: to.conversation, seq, reason: reasonOf(error) }, "an answer cannot be rated");
      }
    },
    async reacted(event) {
      const { address, participant, target, sequence, sentAt, receivedAt } = event;
      const reactions = channelOf(address)?.traits.reactions;
      if (reactions === undefined) return;
      const change = changeOf(event, options.emoji, reactions === "one");
      if (change === undefined) return;
      const answer = await find(address, target);
      if (answer === undefined) return;
      const order = sequence ?? sentAt ?? receivedAt;
      await settle(answer, target, options.pseudonymOf(participant.id), { ...change, order });
    },
    async rate({ account, target, by, thumb, words }) {
      const answer = await find(account, target);
      if (answer === undefined) return false;
      const on = thumb === undefined ? [] : [thumb];
      const off = (["up", "down"] as const).filter((one) => one !== thumb);
      await settle(answer, target, options.pseudonymOf(by.id), { on, off, words, order: clock.now() });
      return true;
    },
    async of(conversation, by) {
      const who = options.pseudonymOf(by.id);
      const found = await readAll(await idsOf(conversation, mostShown));
      return new Map(
        found.flatMap(({ target, voices }) => {
          const thumb = voices.flatMap((voice) => (voice.who === who ? (thumbOf(voice) ?? []) : [])).at(0);
          return thumb === undefined ? [] : [[target, thumb] as const];
        }),
      );
    },
    async list(tenants, limit) {
      const all: Rating[] = [];
      for (const tenant of tenants) {
        let found = 0;
        for await (const id of index.newest(tenantLog(tenant))) {
          const one = await read(id);
          if (one !== undefined) all.push(one);
          if (one !== undefined && ++found >= limit) break;
        }
      }
      return all.toSorted((a, b) => lastOf(b) - lastOf(a)).slice(0, limit);
    },
    async held(conversations) {
      const lists = await Promise.all(conversations.map((conversation) => idsOf(conversation, furthest)));
      return readAll(lists.flat());
    },
    async forget(conversations) {
      for (const conversation of conversations) {
        const ids = await idsOf(conversation, furthest);
        await Promise.all(ids.map((id) => records.remove(ratingKey(id))));
        await transcript.clear(conversationLog(conversation));
      }
      await reviews.forget(conversations);
    },
  };
}

function lastOf({ voices }: Rating): number {
  return Math.max(...voices.map(({ at }) => at));
}

function prefixOf({ tenant, channel, account }: AccountRef): string {
  return [tenant, channel, account].map(encodePart).join(":");
}

const targetKey = (target: MessageId) => `rated-answer:${target}`;
const ratingKey = (id: string) => `rating:${id}`;
const conversationLog = (conversation: string) => `ratings:${conversation}`;
const tenantLog = (tenant: string) => `ratings-of:${encodePart(tenant)}`;
