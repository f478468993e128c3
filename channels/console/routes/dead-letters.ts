import { createRoute, z } from "@hono/zod-openapi";
import { topics } from "../../../src/ports.ts";
import { consolePath as base } from "../settings.ts";
import { acted, common, id, json, limitOf, notFound, refusals, refusedNow, time } from "./parts.ts";

const letter = z
  .object({
    id: z.string(),
    topic: z.enum(topics),
    subject: z.string().openapi({ description: "The conversation, or the account where none could be read" }),
    reason: z.string(),
    attempts: z.number().int(),
    at: time,
  })
  .openapi("DeadLetter");

export const deadLetterRoutes = {
  deadLetters: createRoute({
    method: "get",
    path: `${base}/dead-letters`,
    tags: ["Dead letters"],
    summary: "What was given up or could not be read, the newest first",
    ...common,
    request: {
      query: z.object({
        limit: limitOf(500, 50),
        before: z.coerce.number().int().min(0).optional().openapi({ description: "`next` of the page before" }),
      }),
    },
    responses: {
      200: json(
        z.object({
          deadLetters: z.array(letter),
          next: z.number().int().optional().openapi({ description: "Where the next page begins; absent: no more" }),
        }),
        "Dead letters, without what was said",
      ),
      ...refusals,
    },
  }),
  deadLetter: createRoute({
    method: "get",
    path: `${base}/dead-letters/{id}`,
    tags: ["Dead letters"],
    summary: "One of them, with all of its event",
    ...common,
    request: id,
    responses: { 200: json(letter.extend({ event: z.unknown() }), "The letter"), ...notFound, ...refusals },
  }),
  retry: createRoute({
    method: "post",
    path: `${base}/dead-letters/{id}/retry`,
    tags: ["Dead letters"],
    summary: "Send it its way again",
    ...common,
    request: id,
    responses: { 202: json(acted, "It goes its way again"), ...notFound, ...refusedNow, ...refusals },
  }),
  drop: createRoute({
    method: "delete",
    path: `${base}/dead-letters/{id}`,
    tags: ["Dead letters"],
    summary: "Delete it",
    ...common,
    request: id,
    responses: { 200: json(acted, "It is deleted"), ...notFound, ...refusals },
  }),
};
