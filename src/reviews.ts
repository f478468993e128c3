/**
 * Answers that somebody should look at: those that were rated low, and those that their agent was in doubt of. Each is a record with
 * the conversation around it, as it was when it came here; reviewers take them in batches and say what they find.
 */
import { z } from "zod";
import type { CallAgent } from "./agent-calls.ts";
import { ConflictError, InputError } from "./errors.ts";
import { isForgotten, readNamed, type FeedbackRecords } from "./feedback-records.ts";
import { encodePart } from "./ids.ts";
import type { Clock, Records, Transcript } from "./ports.ts";
import { answerIdOf, ratedAnswer, type RatedAnswer } from "./rating.ts";
import { createRotatingLog } from "./rotating-log.ts";
import type { Overheard } from "./takeover-events.ts";

export const verdicts = ["good", "bad", "unclear"] as const;
export type Verdict = (typeof verdicts)[number];

const review = ratedAnswer.extend({
  id: z.string(),
  reasons: z.array(z.string()),
  /** When it came here. */
  added: z.number(),
  /** What was said there up to the answer, the oldest first; `answer`: this is the one. */
  items: z.array(
    z.object({
      role: z.enum(["user", "agent", "note", "operator"]),
      text: z.string(),
      at: z.number(),
      name: z.string().optional(),
      answer: z.boolean().optional(),
    }),
  ),
  /** Somebody has it before them. */
  taken: z.object({ by: z.string(), until: z.number() }).optional(),
  done: z
    .object({
      by: z.string(),
      at: z.number(),
      verdict: z.enum(verdicts),
      note: z.string().optional(),
      /** What the answer should have been. */
      expected: z.string().optional(),
    })
    .optional(),
});
export type Review = Readonly<z.infer<typeof review>>;
export type Done = NonNullable<Review["done"]>;

export interface Reviews {
  /**
   * Once for each answer; another reason for it is noted. What was reviewed already stays so, and what was forgotten comes to nobody.
   * @param hear what is said there, where the agent cannot be asked: it is the one who calls.
   */
  add(answer: RatedAnswer, reasons: readonly string[], hear?: () => Promise<Overheard | "stale">): Promise<void>;
  /** The reason is gone; with the last one goes what nobody has looked at. */
  withdraw(id: string, reason: string): Promise<void>;
  /** The newest first; of these tenants. */
  list(
    tenants: readonly string[],
    of: { readonly limit: number; readonly done?: boolean | undefined },
  ): Promise<readonly Review[]>;
  /** The oldest that nobody has: they are this reviewer's for an hour. */
  next(tenants: readonly string[], of: { readonly count: number; readonly by: string }): Promise<readonly Review[]>;
  /**
   * Again by the same reviewer it replaces what they said.
   * @throws InputError 404 where there is no such review of these tenants, 409 where another one has it or has done it.
   */
  done(tenants: readonly string[], id: string, of: Omit<Done, "at">): Promise<Review>;
}

export interface ReviewOptions {
  readonly records: Records;
  readonly transcript: Transcript;
  readonly noted: FeedbackRecords;
  readonly clock: Clock;
  readonly call: CallAgent;
  readonly keptMs: number;
}

const takenMs = 3_600_000;
const mostTries = 20;
/** Items around an answer, and what is kept of each. */
const mostItems = 20;
const longestItem = 4_000;
/** How many are looked through for what is open. */
const furthest = 2_000;

export function createReviews({ records, transcript, noted, clock, call, keptMs }: ReviewOptions): Reviews {
  const index = createRotatingLog(transcript, clock, keptMs);
  const read = async (id: string) => {
    const row = await records.get(keyOf(id));
    const found = review.safeParse(row?.value).data;
    return row === undefined || found === undefined ? undefined : { found, etag: row.etag };
  };

  /** @param next undefined: it goes; the same: nothing is written. */
  async function change(id: string, next: (of: Review) => Review | undefined): Promise<Review | undefined> {
    for (let tries = 1; ; tries += 1) {
      const row = await read(id);
      if (row === undefined) return undefined;
      const after = next(row.found);
      if (after === row.found) return after;
      try {
        if (after === undefined) await records.remove(keyOf(id));
        else await records.put(keyOf(id), after, { etag: row.etag, ttlMs: keptMs });
        return after;
      } catch (error) {
        if (!(error instanceof ConflictError) || tries === mostTries) throw error;
      }
    }
  }

  /** The latest up to the answer; the agent may have forgotten it meanwhile. */
  async function around({ at }: RatedAnswer, hear: () => Promise<Overheard | "stale">): Promise<Review["items"]> {
    const heard = await hear();
    if (heard === "stale") return [];
    const until = heard.items.findLastIndex((item) => item.role === "agent" && item.at === at);
    const before = until === -1 ? heard.items.filter((item) => item.at <= at) : heard.items.slice(0, until + 1);
    const own = before.length - 1;
    return before
      .map((item, n) => ({
        ...item,
        text: item.text.slice(0, longestItem),
        ...(n === own && until !== -1 && { answer: true }),
      }))
      .slice(-mostItems);
  }

  async function* ofTenants(tenants: readonly string[]): AsyncIterable<Review> {
    for (const tenant of tenants)
      yield* readNamed(index.newest(tenantLog(tenant)), furthest, async (id) => (await read(id))?.found);
  }

  const isFree = ({ done, taken }: Review, by: string) =>
    done === undefined && (taken === undefined || taken.by === by || taken.until <= clock.now());

  return {
    async add(answer, reasons, hear) {
      const { tenant, conversation } = answer.to;
      const id = answerIdOf({ conversation, seq: answer.seq });
      const more = (of: Review) => reasons.filter((reason) => !of.reasons.includes(reason));
      const known = await change(id, (of) =>
        more(of).length === 0 ? of : { ...of, reasons: [...of.reasons, ...more(of)] },
      );
      if (known !== undefined || (await isForgotten(records, answer))) return;
      const items = await around(answer, hear ?? (() => call(answer.agent, "overheard", { conversation })));
      await Promise.all([noted.note(conversation, keyOf(id)), index.add(tenantLog(tenant), id)]);
      const { v, agent, to, seq, answers, at, made } = answer;
      const fresh: Review = {
        v,
        agent,
        to,
        seq,
        answers,
        at,
        made,
        id,
        reasons: [...reasons],
        added: clock.now(),
        items,
      };
      await records.put(keyOf(id), fresh, { etag: null, ttlMs: keptMs }).catch((error: unknown) => {
        // Another reason came at the same time.
        if (!(error instanceof ConflictError)) throw error;
      });
    },
    async withdraw(id, reason) {
      await change(id, (of) => {
        if (of.done !== undefined || !of.reasons.includes(reason)) return of;
        const reasons = of.reasons.filter((one) => one !== reason);
        return reasons.length === 0 ? undefined : { ...of, reasons };
      });
    },
    async list(tenants, { limit, done }) {
      const found: Review[] = [];
      for await (const one of ofTenants(tenants))
        if (done === undefined || (one.done !== undefined) === done) found.push(one);
      return found.toSorted((a, b) => b.added - a.added).slice(0, limit);
    },
    async next(tenants, { count, by }) {
      const open: Review[] = [];
      for await (const one of ofTenants(tenants)) if (isFree(one, by)) open.push(one);
      const batch: Review[] = [];
      const until = clock.now() + takenMs;
      for (const { id } of open.toSorted((a, b) => a.added - b.added)) {
        if (batch.length >= count) break;
        const taken = await change(id, (of) => (isFree(of, by) ? { ...of, taken: { by, until } } : of));
        if (taken?.taken?.by === by && taken.done === undefined) batch.push(taken);
      }
      return batch;
    },
    async done(tenants, id, said) {
      const absent = new InputError("there is no such review", { status: 404 });
      const of = await change(id, (one) => {
        if (!tenants.includes(one.to.tenant)) throw absent;
        if (one.done !== undefined && one.done.by !== said.by)
          throw new InputError(`${one.done.by} has reviewed it already`, { status: 409 });
        if (one.done === undefined && !isFree(one, said.by))
          throw new InputError(`${one.taken?.by} has it before them`, { status: 409 });
        return { ...one, taken: undefined, done: { ...said, at: clock.now() } };
      });
      if (of === undefined) throw absent;
      return of;
    },
  };
}

const keyOf = (id: string) => `review:${id}`;
const tenantLog = (tenant: string) => `reviews-of:${encodePart(tenant)}`;
