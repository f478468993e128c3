import { createRoute, z } from "@hono/zod-openapi";
import { takeOrder } from "../../../src/takeover-operations.ts";
import { consolePath as base } from "../settings.ts";
import {
  acted,
  bodyOf,
  common,
  error,
  id,
  idempotency,
  json,
  noteForAgent,
  notFound,
  refusals,
  refusedNow,
  saidItem,
  time,
} from "./parts.ts";

const takeover = z
  .object({
    id: z.string().openapi({ description: "The same from the asking to the end, also for subscribers" }),
    channel: z.string(),
    account: z.string(),
    conversation: z.string(),
    user: z.string().openapi({ description: "The platform's id of the person" }),
    name: z.string().optional().openapi({ description: "What they call themselves" }),
    reason: z.string().optional().openapi({ description: "Why a person is asked for, in the words of who asks" }),
    by: z.string().optional().openapi({ description: "The operator who has it; absent: nobody has come yet" }),
    at: time,
    until: time.optional().openapi({ description: "Then it is the agent's again" }),
  })
  .openapi("Takeover");
const took = takeover
  .omit({ reason: true })
  .extend({ n: z.number().int().openapi({ description: "Rises whenever somebody takes it" }) })
  .openapi("Taken");
const heard = z
  .object({
    conversation: z.string(),
    by: z.string().optional().openapi({ description: "The operator who has it" }),
    n: z.number().int().optional(),
    at: time.optional(),
    until: time.optional(),
    items: z.array(saidItem),
  })
  .openapi("Heard");

const nth = z
  .number()
  .int()
  .optional()
  .openapi({ description: "As it was told when you took it: refused where somebody has taken it since" });

export const takeoverRoutes = {
  takeovers: createRoute({
    method: "get",
    path: `${base}/takeovers`,
    tags: ["Takeovers"],
    summary: "Who asks for a person, and who has which conversation, the oldest first",
    ...common,
    responses: { 200: json(z.object({ takeovers: z.array(takeover) }), "Takeovers"), ...refusals },
  }),
  take: createRoute({
    method: "post",
    path: `${base}/takeovers`,
    tags: ["Takeovers"],
    summary: "Have a conversation: the agent is silent there until it is released",
    ...common,
    request: { body: bodyOf(takeOrder.strict()) },
    responses: {
      200: json(took, "You have it; again it changes nothing"),
      403: json(error, "The account blocks them"),
      422: json(error, "They cannot be written to; the message says why"),
      ...notFound,
      ...refusedNow,
      ...refusals,
    },
  }),
  heard: createRoute({
    method: "get",
    path: `${base}/takeovers/{id}`,
    tags: ["Takeovers"],
    summary: "The latest of what was said in a conversation, and who has it",
    ...common,
    request: id,
    responses: { 200: json(heard, "What was said, the oldest first"), ...notFound, ...refusals },
  }),
  sayThere: createRoute({
    method: "post",
    path: `${base}/takeovers/{id}/messages`,
    tags: ["Takeovers"],
    summary: "Say something in a conversation that you have",
    ...common,
    request: {
      ...id,
      headers: idempotency,
      body: bodyOf(z.strictObject({ text: z.string().openapi({ description: "Markdown" }), n: nth })),
    },
    responses: {
      202: json(acted, "It is kept, and goes out in the conversation's order"),
      ...notFound,
      ...refusedNow,
      ...refusals,
    },
  }),
  release: createRoute({
    method: "post",
    path: `${base}/takeovers/{id}/release`,
    tags: ["Takeovers"],
    summary: "Leave a conversation to its agent again, or tell who asks that nobody can come",
    ...common,
    request: {
      ...id,
      body: bodyOf(
        z.strictObject({
          note: noteForAgent,
          force: z.boolean().default(false).openapi({ description: "Also what another operator has" }),
          n: nth,
        }),
      ),
    },
    responses: { 200: json(acted, "The agent has it again"), ...notFound, ...refusedNow, ...refusals },
  }),
};
