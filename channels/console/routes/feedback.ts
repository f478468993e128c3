import { createRoute, z } from "@hono/zod-openapi";
import { doneOrder } from "../../../src/feedback-operations.ts";
import { thumbs } from "../../../src/rating.ts";
import { verdicts } from "../../../src/reviews.ts";
import { consolePath as base } from "../settings.ts";
import { bodyOf, common, id, json, limitOf, notFound, refusals, refusedNow, saidItem, time } from "./parts.ts";

const ratedAnswer = {
  id: z.string().openapi({ description: "Of the answer" }),
  tenant: z.string(),
  channel: z.string(),
  account: z.string(),
  conversation: z.string(),
  seq: z.number().int().openapi({ description: "Its place among the conversation's answers" }),
  at: time.openapi({ description: "When it was given" }),
  agent: z.string().optional(),
  model: z.string().optional(),
  version: z.string().optional().openapi({ description: "The same as long as the agent's settings are" }),
  turn: z.string().optional(),
};
const ratingOf = z
  .object({
    ...ratedAnswer,
    up: z.number().int(),
    down: z.number().int(),
    voices: z.array(
      z.object({
        who: z.string().openapi({ description: "A pseudonym: the same person has the same one" }),
        thumb: z.enum([...thumbs, "none"]),
        words: z.string().optional(),
        at: time,
      }),
    ),
  })
  .openapi("Rating");
const review = z
  .object({
    ...ratedAnswer,
    reasons: z.array(z.string()).openapi({ description: "thumbs-down, or what its agent was in doubt for" }),
    added: time,
    items: z.array(saidItem.extend({ answer: z.boolean().optional().openapi({ description: "This is the answer" }) })),
    taken: z.object({ by: z.string(), until: time }).optional(),
    done: z
      .object({
        by: z.string(),
        at: time,
        verdict: z.enum(verdicts),
        note: z.string().optional(),
        expected: z.string().optional(),
      })
      .optional(),
  })
  .openapi("Review");

export const feedbackRoutes = {
  feedback: createRoute({
    method: "get",
    path: `${base}/feedback`,
    tags: ["Feedback"],
    summary: "Thumbs that people put on answers, the latest rated answer first",
    ...common,
    request: { query: z.object({ limit: limitOf(1_000, 50) }) },
    responses: { 200: json(z.object({ ratings: z.array(ratingOf) }), "Ratings"), ...refusedNow, ...refusals },
  }),
  reviews: createRoute({
    method: "get",
    path: `${base}/reviews`,
    tags: ["Feedback"],
    summary: "Answers that were rated low, or that their agent was in doubt of, the newest first",
    ...common,
    request: {
      query: z.object({
        limit: limitOf(200, 50),
        done: z
          .enum(["true", "false"])
          .optional()
          .openapi({ description: "Those that are reviewed, or those that are not" }),
      }),
    },
    responses: { 200: json(z.object({ reviews: z.array(review) }), "Reviews"), ...refusedNow, ...refusals },
  }),
  nextReviews: createRoute({
    method: "post",
    path: `${base}/reviews/next`,
    tags: ["Feedback"],
    summary: "Take the oldest that nobody has: they are yours for an hour",
    ...common,
    request: { body: bodyOf(z.strictObject({ count: z.number().int().min(1).max(100).default(5) })) },
    responses: { 200: json(z.object({ reviews: z.array(review) }), "Yours"), ...refusedNow, ...refusals },
  }),
  review: createRoute({
    method: "post",
    path: `${base}/reviews/{id}`,
    tags: ["Feedback"],
    summary: "Say what you found",
    ...common,
    request: { ...id, body: bodyOf(doneOrder.omit({ id: true }).strict()) },
    responses: { 200: json(review, "The review"), ...notFound, ...refusedNow, ...refusals },
  }),
};
