/** What an operator does about ratings and reviews: a part of `operations.ts`. Others' tenants are as if they were not there. */
import { z } from "zod";
import type { Channel } from "./channel.ts";
import type { Core } from "./core.ts";
import { InputError } from "./errors.ts";
import { countOf, thumbOf, type Rating, type Thumb } from "./rating.ts";
import { verdicts, type Review, type Verdict } from "./reviews.ts";
import type { Act } from "./takeover-operations.ts";

/** An answer as operators are shown it. */
interface ShownAnswer {
  readonly id: string;
  readonly channel: string;
  readonly account: string;
  readonly tenant: string;
  readonly conversation: string;
  readonly seq: number;
  /** When it was given. */
  readonly at: number;
  readonly agent?: string;
  readonly model?: string;
  readonly version?: string;
  readonly turn?: string;
}
export interface ShownRating extends ShownAnswer {
  readonly up: number;
  readonly down: number;
  readonly voices: readonly {
    readonly who: string;
    readonly thumb: Thumb | "none";
    readonly words?: string;
    readonly at: number;
  }[];
}
export interface ShownReview extends ShownAnswer, Pick<Review, "reasons" | "added" | "items"> {
  readonly taken?: { readonly by: string; readonly until: number };
  readonly done?: NonNullable<Review["done"]>;
}

export const doneOrder = z.object({
  id: z.string().max(100),
  verdict: z.enum(verdicts),
  note: z.string().max(2_000).optional(),
  expected: z.string().max(20_000).optional(),
});
export type DoneOrder = z.infer<typeof doneOrder>;
/** Who reviews is the operator, unless a command says which of them. */
interface As {
  readonly as?: string | undefined;
}

export interface FeedbackOperations {
  /** The latest rated first. */
  feedback(limit: number): Promise<readonly ShownRating[]>;
  /** The newest first. `done`: those that are reviewed, or those that are not. */
  reviews(of: { readonly limit: number; readonly done?: boolean | undefined }): Promise<readonly ShownReview[]>;
  /** The oldest that nobody has, for an hour. */
  nextReviews(of: As & { readonly count: number }): Promise<readonly ShownReview[]>;
  /** As `Reviews.done`. */
  review(of: As & DoneOrder): Promise<ShownReview>;
}

export interface FeedbackOperationsOptions {
  readonly core: Pick<Core, "feedback" | "reviews">;
  readonly channels: readonly Channel[];
  readonly name: string;
  readonly act: Act;
}

export function feedbackOperations({ core, channels, name, act }: FeedbackOperationsOptions): FeedbackOperations {
  const tenants = [...new Set(channels.map(({ tenant }) => tenant))];
  const on = <Part>(part: Part | undefined): Part => {
    if (part === undefined) throw new InputError("answers are not rated here: set feedback.enabled", { status: 409 });
    return part;
  };

  return {
    feedback: async (limit) => (await on(core.feedback).list(tenants, limit)).map(shownRating),
    reviews: async (of) => (await on(core.reviews).list(tenants, of)).map(shownReview),
    nextReviews: async ({ count, as: by = name }) =>
      (await on(core.reviews).next(tenants, { count, by })).map(shownReview),
    review: ({ id, as: by = name, verdict, note, expected }) =>
      act("review", { review: id, by, verdict }, async () => {
        const said = { by, verdict, ...(note !== undefined && { note }), ...(expected !== undefined && { expected }) };
        return shownReview(await on(core.reviews).done(tenants, id, said));
      }),
  };
}

function shownAnswer({ id, to, seq, at, made }: Pick<Rating, "id" | "to" | "seq" | "at" | "made">): ShownAnswer {
  const { channel, account, tenant, conversation } = to;
  const by = made && { agent: made.agent, model: made.model, version: made.version, turn: made.turn };
  return { id, channel, account, tenant, conversation, seq, at, ...by };
}

function shownRating(of: Rating): ShownRating {
  const voices = of.voices.map((voice) => {
    const { who, words, at } = voice;
    return { who, thumb: thumbOf(voice) ?? ("none" as const), at, ...(words !== undefined && { words }) };
  });
  return { ...shownAnswer(of), ...countOf(of), voices };
}

function shownReview(of: Review): ShownReview {
  const { reasons, added, items, taken, done } = of;
  return { ...shownAnswer(of), reasons, added, items, ...(taken && { taken }), ...(done && { done }) };
}

/** A conversation that was reviewed, as a case of `ascent eval`. */
export interface ReviewedCase {
  readonly id: string;
  readonly history: readonly { readonly role: "user" | "agent"; readonly text: string }[];
  readonly turns: readonly { readonly user: string }[];
  readonly rubric: string;
  readonly about: { readonly verdict: Verdict; readonly reasons: readonly string[]; readonly answer: string };
}

/** Undefined where nobody has reviewed it, or what was asked is not known any more. */
export function caseOf({ id, items, reasons, done }: Pick<ShownReview, "id" | "items" | "reasons" | "done">) {
  const at = items.findLastIndex((item) => item.answer === true);
  const answer = items[at];
  if (done === undefined || answer === undefined) return undefined;
  const before = items.slice(0, at);
  const asked = before.findLastIndex(({ role }) => role !== "user") + 1;
  const turn = before.slice(asked).map(({ text }) => text);
  if (turn.length === 0) return undefined;
  const history = before.slice(0, asked).flatMap(({ role, text }) => {
    if (role === "note") return [];
    return [{ role: role === "user" ? ("user" as const) : ("agent" as const), text }];
  });
  const made: ReviewedCase = {
    id,
    history,
    turns: [{ user: turn.join("\n\n") }],
    rubric: rubricOf(done, answer.text),
    about: { verdict: done.verdict, reasons, answer: answer.text },
  };
  return made;
}

function rubricOf({ verdict, note, expected }: NonNullable<Review["done"]>, answer: string): string {
  const wanted = expected === undefined ? [] : [`The answer should say in substance: ${expected}`];
  const known =
    verdict === "bad"
      ? [`An earlier answer was judged to be bad: ${JSON.stringify(answer)}. The answer must not have its fault.`]
      : verdict === "good" && expected === undefined
        ? [`An earlier answer was judged to be good: ${JSON.stringify(answer)}. The answer should be as good.`]
        : [];
  return [...wanted, ...known, ...(note === undefined ? [] : [`The reviewer says: ${note}`])].join("\n") || "It helps.";
}
