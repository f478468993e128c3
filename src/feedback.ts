/**
 * Thumbs on answers: what a platform calls an answer is kept while it may be rated, a rating is a record beside the conversation, and
 * what was rated low goes to those who review. A rating starts no turn and is nothing that the agent is told.
 *
 * Where nobody rates answers none of this is there: nothing is written.
 */
import { answerRated, type Announce } from "./announce.ts";
import type { Channel } from "./channel.ts";
import { ConflictError, reasonOf } from "./errors.ts";
import { isForgotten, readNamed, type FeedbackRecords } from "./feedback-records.ts";
import { encodePart, type AccountRef, type MessageId } from "./ids.ts";
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

export interface Feedback extends Ratings {
  /** Before the part of an answer with this key is sent. Never rejects: at worst nobody can rate it. */
  keep(channel: Channel, entry: OutboundEvent, key: string): Promise<void>;
  /** Once its platform has it and calls it so; likewise. */
  named(channel: Channel, entry: OutboundEvent, key: string, id: string | undefined): Promise<void>;
  /** Somebody reacted to a message, perhaps to an answer. The same event again changes nothing. @throws InfrastructureError */
  reacted(event: Extract<InboundEvent, { kind: "reacted" }>): Promise<void>;
  /** The latest rated first; of these tenants. */
  list(tenants: readonly string[], limit: number): Promise<readonly Rating[]>;
  /** All of these conversations. */
  held(conversations: readonly string[]): Promise<readonly Rating[]>;
}

export interface FeedbackOptions {
  readonly records: Records;
  readonly transcript: Transcript;
  readonly clock: Clock;
  readonly log: Log;
  readonly channelOf: (to: AccountRef) => Channel | undefined;
  readonly reviews: Pick<Reviews, "add" | "withdraw">;
  readonly noted: FeedbackRecords;
  readonly announce?: Announce | undefined;
  readonly emoji: Emoji;
  readonly asks: boolean;
  /** How long an answer can be rated, and a rating is kept. */
  readonly keptMs: number;
  /** What a person is called here, which tells nobody who they are. */
  readonly pseudonymOf: (person: string) => string;
}

type RatedAs = (of: Pick<RatedAnswer, "to" | "answers">) => readonly MessageId[];

const mostTries = 20;
/** Of those that a person is shown their thumbs at. */
const mostShown = 100;
/** How far back is looked. */
const furthest = 10_000;

export function createFeedback(options: FeedbackOptions): Feedback {
  const { records, transcript, clock, log, channelOf, reviews, noted, announce, keptMs } = options;
  const index = createRotatingLog(transcript, clock, keptMs);

  /** Undefined also where the person has had it forgotten. */
  async function find(account: AccountRef, target: MessageId): Promise<RatedAnswer | undefined> {
    if (!target.startsWith(`${prefixOf(account)}:`)) return undefined;
    const known = ratedAnswer.safeParse((await records.get(targetKey(target)))?.value).data;
    return known === undefined || (await isForgotten(records, known)) ? undefined : known;
  }

  async function keepAs(targetsOf: RatedAs, entry: OutboundEvent): Promise<void> {
    const { agent, to, seq, answers, at, made } = entry;
    // The gateway's own words are nobody's answer.
    if (made === undefined || entry.answer.notice !== undefined) return;
    try {
      const answer: RatedAnswer = { v: 1, agent, to, seq, answers, at, made };
      const targets = targetsOf({ to, answers });
      await Promise.all(targets.map((one) => records.put(targetKey(one), answer, { ttlMs: keptMs })));
    } catch (error) {
      log.warn({ conversation: to.conversation, seq, reason: reasonOf(error) }, "an answer cannot be rated");
    }
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
      await Promise.all([noted.note(conversation, ratingKey(id)), index.add(tenantLog(tenant), id)]);
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

  const read = async (key: string) => rating.safeParse((await records.get(key))?.value).data;
  const latest = async (conversation: string, limit: number) => {
    const keys = await noted.latest(conversation, ratingKey(""), limit);
    return (await Promise.all(keys.map(read))).filter((one) => one !== undefined);
  };

  return {
    asks: options.asks,
    async keep({ ratedAs }, entry, key) {
      if (ratedAs !== undefined) await keepAs((of) => ratedAs({ ...of, key }), entry);
    },
    async named({ ratedAs }, entry, key, id) {
      if (ratedAs === undefined || id === undefined) return;
      await keepAs((of) => {
        const before = ratedAs({ ...of, key });
        return ratedAs({ ...of, key, id }).filter((one) => !before.includes(one));
      }, entry);
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
      const found = await latest(conversation, mostShown);
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
        const names = index.newest(tenantLog(tenant));
        for await (const one of readNamed(names, furthest, (id) => read(ratingKey(id)))) {
          all.push(one);
          if (++found >= limit) break;
        }
      }
      return all.toSorted((a, b) => lastOf(b) - lastOf(a)).slice(0, limit);
    },
    async held(conversations) {
      return (await Promise.all(conversations.map((conversation) => latest(conversation, furthest)))).flat();
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
const tenantLog = (tenant: string) => `ratings-of:${encodePart(tenant)}`;
