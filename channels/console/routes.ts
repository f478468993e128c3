/** The operators' HTTP API, from which its OpenAPI document is made. */
import { createRoute, z } from "@hono/zod-openapi";
import { connectionStates } from "../../src/connections.ts";
import { doneOrder } from "../../src/feedback-operations.ts";
import { sendOrder, type missionActs } from "../../src/operations.ts";
import { topics } from "../../src/ports.ts";
import { budgetScopes, budgetWindows } from "../../src/budgets.ts";
import { thumbs } from "../../src/rating.ts";
import { verdicts } from "../../src/reviews.ts";
import { takeOrder } from "../../src/takeover-operations.ts";
import { consolePath as base } from "./settings.ts";

const error = z.object({ error: z.object({ code: z.string(), message: z.string() }) }).openapi("Error");
const time = z.iso.datetime();

const asked = z
  .object({
    code: z.string(),
    channel: z.string(),
    account: z.string(),
    user: z.string().openapi({ description: "The platform's id of the person" }),
    name: z.string().optional().openapi({ description: "What they call themselves" }),
    handle: z.string().optional(),
    at: time,
    until: time,
  })
  .openapi("Asked");
const waitingCall = z
  .object({
    id: z.string(),
    channel: z.string(),
    account: z.string(),
    conversation: z.string(),
    user: z.string().openapi({ description: "The platform's id of the person" }),
    name: z.string().optional().openapi({ description: "What they call themselves" }),
    by: z
      .enum(["person", "operator"])
      .openapi({ description: "Whose word is waited for; an operator's counts in any case" }),
    calls: z.array(
      z.object({ tool: z.string(), args: z.string().openapi({ description: "JSON, as the model wrote it" }) }),
    ),
    at: time,
    until: time,
  })
  .openapi("Approval");
const mission = z
  .object({
    id: z.string(),
    title: z.string(),
    conversation: z.string(),
    agentName: z.string().openapi({ description: "The agent that began it" }),
    at: time,
    open: z.boolean(),
  })
  .openapi("Mission");
const missionDetails = mission
  .extend({
    status: z.enum(["running", "paused", "ended"]),
    steps: z.array(z.object({ id: z.string(), do: z.string(), is: z.string() })),
  })
  .openapi("MissionDetails");
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
    items: z.array(
      z.object({
        role: z.enum(["user", "agent", "note", "operator"]),
        text: z.string(),
        at: time,
        name: z.string().optional(),
      }),
    ),
  })
  .openapi("Heard");
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
    items: z.array(
      z.object({
        role: z.enum(["user", "agent", "note", "operator"]),
        text: z.string(),
        at: time,
        name: z.string().optional(),
        answer: z.boolean().optional().openapi({ description: "This is the answer" }),
      }),
    ),
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
const decided = z
  .object({ channel: z.string(), account: z.string(), user: z.string(), state: z.enum(["approved", "denied"]) })
  .openapi("Decided");
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
const setAside = z.object({ id: z.string(), conversation: z.string(), rule: z.string(), at: time }).openapi("SetAside");
const delivery = z
  .object({
    id: z.string(),
    webhookId: z.string(),
    subscriber: z.string().openapi({ description: "Its host, or the binding's name" }),
    type: z.string(),
    state: z.enum(["waiting", "delivered", "given up", "unwanted"]),
    at: time,
    tries: z.array(z.object({ at: time, status: z.number().int().optional(), reason: z.string().optional() })),
  })
  .openapi("Delivery");
const amount = z.object({
  tokens: z.number().optional(),
  money: z.number().optional().openapi({ description: "In units of the currency" }),
  calls: z.number().optional(),
});
const used = z
  .object({
    scope: z.enum(budgetScopes),
    currency: z.string(),
    windows: z.array(z.object({ window: z.enum(budgetWindows), used: amount, limits: amount })),
    rows: z.array(
      z.object({
        day: z.string(),
        name: z.string().openapi({ description: 'A model as configured, or "tool " and its name' }),
        calls: z.number(),
        input: z.number(),
        cached: z.number(),
        output: z.number(),
        money: z.number(),
      }),
    ),
  })
  .openapi("Usage");
const linkStates = z.enum(["no browser", "starting", "waiting for a scan", "ready"]);
const account = z
  .object({
    tenant: z.string(),
    channel: z.string(),
    account: z.string(),
    state: z
      .enum(connectionStates)
      .openapi({ description: "elsewhere: another replica holds it, and has not told how it stands" }),
    reason: z.string().optional().openapi({ description: "Why it is off" }),
    here: z.boolean().openapi({ description: "False where another replica holds it" }),
    link: z
      .object({ state: linkStates, trouble: z.string().optional() })
      .optional()
      .openapi({ description: "Of an account that is a phone's linked device" }),
  })
  .openapi("Account");
const link = z
  .object({
    state: z.enum([...linkStates.options, "elsewhere"]),
    trouble: z.string().optional(),
    code: z.string().optional().openapi({ description: "What the phone scans, as text; link.svg draws it" }),
    drawn: z.string().optional().openapi({ description: "The same as a QR code for a terminal" }),
    until: time.optional().openapi({ description: "The code is good so long: ask again then" }),
  })
  .openapi("Link");
const finding = z.object({ ok: z.boolean(), text: z.string(), next: z.string().optional() });
const examined = z
  .object({ ok: z.boolean(), reports: z.array(z.object({ topic: z.string(), findings: z.array(finding) })) })
  .openapi("Examined");

const json = <Schema extends z.ZodType>(schema: Schema, description: string) => ({
  content: { "application/json": { schema } },
  description,
});
const common = { security: [{ key: [] }] };
const refusals = {
  400: json(error, "Not valid; the message says why"),
  401: json(error, "The key is missing or wrong"),
  429: json(error, "Too many wrong keys came from this address: none is looked at until Retry-After is over"),
  503: json(error, "Try again after Retry-After seconds"),
};
const notFound = { 404: json(error, "There is no such thing, or it is another tenant's") };
const refusedNow = { 409: json(error, "It is there, and this cannot be done with it; the message says why") };
const limitOf = (most: number, usual: number) =>
  z.coerce
    .number()
    .int()
    .min(1)
    .max(most)
    .default(usual)
    .openapi({ description: `At most ${most}` });
const id = { params: z.object({ id: z.string().min(1).max(2_000).openapi({ description: "Percent-encoded" }) }) };
const accountParams = { params: z.object({ channel: z.string().max(100), account: z.string().max(100) }) };
const acted = z.object({ id: z.string() });
const nth = z
  .number()
  .int()
  .optional()
  .openapi({ description: "As it was told when you took it: refused where somebody has taken it since" });
const bodyOf = <Schema extends z.ZodType>(schema: Schema) => ({
  required: true,
  content: { "application/json": { schema } },
});
const idempotency = z.object({
  "idempotency-key": z.string().min(1).max(200).openapi({
    description: "The same once more is the same request: unique within the conversation, for eight days",
  }),
});

const decide = (name: "approve" | "deny", summary: string) =>
  createRoute({
    method: "post",
    path: `${base}/pairing/${name}`,
    tags: ["Pairing"],
    summary,
    ...common,
    request: {
      body: {
        required: true,
        content: {
          "application/json": {
            schema: z.strictObject({
              who: z
                .string()
                .min(1)
                .max(1_000)
                .openapi({ description: "A code, or channel/account/user, whether they asked or not" }),
            }),
          },
        },
      },
    },
    responses: { 200: json(decided, "Decided"), ...notFound, ...refusals },
  });

const rule = (name: "approve" | "deny", summary: string) =>
  createRoute({
    method: "post",
    path: `${base}/approvals/{id}/${name}`,
    tags: ["Approvals"],
    summary,
    ...common,
    request: {
      ...id,
      body: {
        required: true,
        content: {
          "application/json": {
            schema: z.strictObject({
              note: z.string().max(2_000).optional().openapi({ description: "For the agent, as data" }),
            }),
          },
        },
      },
    },
    responses: {
      202: json(acted, "The agent goes on with it in its conversation's order"),
      ...notFound,
      ...refusedNow,
      ...refusals,
    },
  });

const actOn = (name: (typeof missionActs)[number], summary: string) =>
  createRoute({
    method: "post",
    path: `${base}/missions/{id}/${name}`,
    tags: ["Missions"],
    summary,
    ...common,
    request: id,
    responses: { 202: json(acted, "It is durable"), ...notFound, ...refusedNow, ...refusals },
  });

export const routes = {
  missions: createRoute({
    method: "get",
    path: `${base}/missions`,
    tags: ["Missions"],
    summary: "Those that are open, the newest first, then those that have ended",
    ...common,
    request: { query: z.object({ limit: limitOf(1_000, 100) }) },
    responses: {
      200: json(z.object({ missions: z.array(mission) }), "Missions, without what came of them"),
      ...refusals,
    },
  }),
  mission: createRoute({
    method: "get",
    path: `${base}/missions/{id}`,
    tags: ["Missions"],
    summary: "One, and how its steps stand",
    ...common,
    request: id,
    responses: { 200: json(missionDetails, "The mission"), ...notFound, ...refusals },
  }),
  pauseMission: actOn("pause", "Begin no step of it until it is resumed; tasks that are under way go on"),
  resumeMission: actOn("resume", "Let it go on"),
  cancelMission: actOn("cancel", "End it, and cancel the tasks that are under way for it; the person is told"),
  asked: createRoute({
    method: "get",
    path: `${base}/pairing`,
    tags: ["Pairing"],
    summary: "Who asks to be let in, the oldest first",
    ...common,
    responses: { 200: json(z.object({ asked: z.array(asked) }), "Those who have an open code"), ...refusals },
  }),
  approve: decide("approve", "Let somebody in"),
  deny: decide("deny", "Give somebody no code for a day, also where they were approved"),
  approvals: createRoute({
    method: "get",
    path: `${base}/approvals`,
    tags: ["Approvals"],
    summary: "Calls of tools that wait for a word, the oldest first",
    ...common,
    responses: { 200: json(z.object({ approvals: z.array(waitingCall) }), "What waits"), ...refusals },
  }),
  allow: rule("approve", "Let the agent go on with it"),
  forbid: rule("deny", "Tell the agent that it may not be"),
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
          note: z.string().max(2_000).optional().openapi({ description: "For the agent, as data" }),
          force: z.boolean().default(false).openapi({ description: "Also what another operator has" }),
          n: nth,
        }),
      ),
    },
    responses: { 200: json(acted, "The agent has it again"), ...notFound, ...refusedNow, ...refusals },
  }),
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
  journal: createRoute({
    method: "get",
    path: `${base}/journal`,
    tags: ["Journal"],
    summary: "Messages that were set aside and by which rule, the newest first",
    ...common,
    request: { query: z.object({ limit: limitOf(1_000, 50), conversation: z.string().max(1_000).optional() }) },
    responses: { 200: json(z.object({ entries: z.array(setAside) }), "Entries"), ...refusals },
  }),
  send: createRoute({
    method: "post",
    path: `${base}/messages`,
    tags: ["Messages"],
    summary: "Write first: words that go out as they are, or a note of which the agent makes what it writes",
    ...common,
    request: {
      headers: idempotency,
      body: { required: true, content: { "application/json": { schema: sendOrder.omit({ id: true }).strict() } } },
    },
    responses: {
      202: json(
        z.object({ id: z.string(), conversation: z.string() }).openapi("Requested"),
        "It is kept, and goes out in the conversation's order",
      ),
      403: json(error, "The account blocks them"),
      422: json(error, "They cannot be written to first; the message says why"),
      ...notFound,
      ...refusals,
    },
  }),
  usage: createRoute({
    method: "get",
    path: `${base}/usage`,
    tags: ["Usage"],
    summary: "What was used by day and by model, and how far its budgets are used",
    ...common,
    request: {
      query: z.object({
        scope: z
          .enum(budgetScopes)
          .optional()
          .openapi({ description: "That of the operator's tenant, or of the whole gateway, unless given" }),
        of: z
          .string()
          .max(2_000)
          .optional()
          .openapi({ description: "channel/account/user, a conversation's id, channel/account, or a tenant" }),
        days: limitOf(400, 7),
      }),
    },
    responses: { 200: json(used, "Usage, the latest day first"), ...notFound, ...refusedNow, ...refusals },
  }),
  webhooks: createRoute({
    method: "get",
    path: `${base}/webhooks`,
    tags: ["Webhooks"],
    summary: "Deliveries to subscribers, the newest first",
    ...common,
    request: { query: z.object({ limit: limitOf(1_000, 50) }) },
    responses: { 200: json(z.object({ deliveries: z.array(delivery) }), "Deliveries"), ...refusals },
  }),
  replay: createRoute({
    method: "post",
    path: `${base}/webhooks/{id}/replay`,
    tags: ["Webhooks"],
    summary: "Send one again under the same webhook-id",
    ...common,
    request: id,
    responses: { 202: json(acted, "It is sent again"), ...notFound, ...refusedNow, ...refusals },
  }),
  channels: createRoute({
    method: "get",
    path: `${base}/channels`,
    tags: ["Channels"],
    summary: "The accounts, and how each stands with its platform",
    ...common,
    responses: { 200: json(z.object({ accounts: z.array(account) }), "Accounts"), ...refusals },
  }),
  channel: createRoute({
    method: "get",
    path: `${base}/channels/{channel}/{account}`,
    tags: ["Channels"],
    summary: "One account",
    ...common,
    request: accountParams,
    responses: { 200: json(account, "The account"), ...notFound, ...refusals },
  }),
  link: createRoute({
    method: "get",
    path: `${base}/channels/{channel}/{account}/link`,
    tags: ["Channels"],
    summary: "How a linked device stands, and the code to scan",
    ...common,
    request: accountParams,
    responses: { 200: json(link, "The link"), ...notFound, ...refusals },
  }),
  linkImage: createRoute({
    method: "get",
    path: `${base}/channels/{channel}/{account}/link.svg`,
    tags: ["Channels"],
    summary: "The code to scan as an image, which the header Expires says how long it is good",
    ...common,
    request: accountParams,
    responses: {
      200: { description: "A QR code", content: { "image/svg+xml": { schema: { type: "string" } } } },
      ...notFound,
      ...refusedNow,
      ...refusals,
    },
  }),
  doctor: createRoute({
    method: "get",
    path: `${base}/doctor`,
    tags: ["Doctor"],
    summary:
      "What is wrong with configuration, models and accounts, and what to do; an operator of one tenant sees its accounts alone",
    ...common,
    responses: { 200: json(examined, "Findings"), ...refusals },
  }),
};
