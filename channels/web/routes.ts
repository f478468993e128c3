/** The HTTP API of the web chat, from which /openapi.json is made. */
import { createRoute, z } from "@hono/zod-openapi";
import { longestWords, thumbs } from "../../src/rating.ts";

const error = z.object({ error: z.object({ code: z.string(), message: z.string() }) }).openapi("Error");

const attachment = z
  .object({
    id: z.string(),
    name: z.string(),
    type: z.string().openapi({ description: "Media type" }),
    size: z.number().int().openapi({ description: "Bytes" }),
    url: z.string().openapi({ description: "On the gateway's own origin, for this session only" }),
  })
  .openapi("Attachment");

const message = z
  .object({
    id: z.string(),
    role: z.enum(["user", "agent", "notice"]),
    text: z.string().openapi({ description: "Markdown from the agent; taken literally from the user" }),
    attachments: z.array(attachment),
    buttons: z.array(z.object({ id: z.string(), label: z.string() })),
    at: z.iso.datetime(),
    answers: z.array(z.string()).optional().openapi({ description: "The user messages that this one answers" }),
    clientId: z.string().optional().openapi({ description: "The id under which the client sent it" }),
    rated: z.enum(thumbs).optional().openapi({ description: "The thumb that this session has put on it" }),
  })
  .openapi("Message");
export type PageMessage = z.infer<typeof message>;

const session = z
  .object({
    agent: z.object({ name: z.string(), demo: z.boolean(), notice: z.string().optional() }),
    participant: z.object({ id: z.string() }),
    limits: z.object({
      textLength: z.number().int().openapi({ description: "UTF-16 code units in one message" }),
      attachmentBytes: z.number().int(),
      attachments: z.number().int().openapi({ description: "In one message; 0: none" }),
    }),
    commands: z.array(z.object({ name: z.string(), description: z.string() })),
    examples: z.array(z.string()).optional(),
    feedback: z
      .object({ asks: z.boolean().openapi({ description: "Whoever is not content is asked why" }) })
      .optional()
      .openapi({ description: "Answers can be rated" }),
  })
  .openapi("Session");

const clientId = z.string().regex(/^[\w-]{1,64}$/, "an id has 1 to 64 letters, digits, - or _: a UUID fits");
const accepted = z.object({ id: z.string() });

const outgoing = z
  .object({
    id: clientId.openapi({ description: "The client's own id: a second POST with it changes nothing" }),
    text: z.string().optional(),
    attachments: z.array(z.object({ id: z.string().min(1).max(100) })).optional(),
    replyTo: z.string().max(100).optional().openapi({ description: "Id of the message it replies to" }),
    press: z
      .object({ message: z.string().max(100), button: z.string().max(1000) })
      .optional()
      .openapi({ description: "A button of that message was pressed" }),
  })
  .openapi("Outgoing");
export type PageOutgoing = z.infer<typeof outgoing>;

const thumb = z
  .object({
    thumb: z.enum(thumbs).nullable().openapi({ description: "Null takes it back" }),
    words: z.string().max(longestWords).optional().openapi({ description: "What the person says about it" }),
  })
  .openapi("Feedback");

const json = <Schema extends z.ZodType>(schema: Schema, description: string) => ({
  content: { "application/json": { schema } },
  description,
});
const refusals = {
  400: json(error, "Not valid; the message says why"),
  401: json(error, "No session: POST /api/session first"),
  403: json(error, "From another site, or without an Origin header; or the person may not write here"),
  503: json(error, "Try again after Retry-After seconds"),
};
const ownEvent = {
  tags: ["Conversation"],
  request: {
    body: { required: false, content: { "application/json": { schema: z.object({ id: clientId.optional() }) } } },
  },
  responses: { 202: json(accepted, "Accepted"), ...refusals },
};

export const routes = {
  session: createRoute({
    method: "post",
    path: "/api/session",
    tags: ["Session"],
    summary: "Open the browser's session, or a new one in an HttpOnly cookie",
    responses: { 200: json(session, "The session"), 403: refusals[403] },
  }),
  history: createRoute({
    method: "get",
    path: "/api/messages",
    tags: ["Conversation"],
    summary: "The last 50 messages, or the 50 before a cursor",
    request: {
      query: z.object({
        before: z
          .string()
          .regex(/^\d{1,15}$/)
          .optional(),
      }),
    },
    responses: {
      200: json(
        z.object({
          messages: z.array(message).openapi({ description: "Oldest first" }),
          lastEventId: z.string().openapi({ description: "Where to follow /api/events from" }),
          more: z.boolean(),
          before: z.string().optional().openapi({ description: "The cursor of the page before this one" }),
          running: z.boolean().openapi({ description: "An answer is being worked on" }),
        }),
        "Messages",
      ),
      ...refusals,
    },
  }),
  send: createRoute({
    method: "post",
    path: "/api/messages",
    tags: ["Conversation"],
    summary: "Send a message; repeat it with the same id until it is accepted",
    request: { body: { required: true, content: { "application/json": { schema: outgoing } } } },
    responses: {
      202: json(accepted, "It is durable and will be answered"),
      404: json(error, "No such message"),
      429: json(error, "Too many messages: send it again after Retry-After seconds"),
      ...refusals,
    },
  }),
  rate: createRoute({
    method: "post",
    path: "/api/messages/{id}/feedback",
    tags: ["Conversation"],
    summary: "Put a thumb on an answer; the same again changes nothing",
    request: {
      params: z.object({ id: z.string().max(100) }),
      body: { required: true, content: { "application/json": { schema: thumb } } },
    },
    responses: {
      200: json(thumb.pick({ thumb: true }), "It is kept"),
      404: json(error, "No such answer of this session can be rated (any more), or answers are not rated here"),
      ...refusals,
    },
  }),
  stop: createRoute({ method: "post", path: "/api/stop", summary: "Stop the running answer", ...ownEvent }),
  reset: createRoute({ method: "post", path: "/api/reset", summary: "Forget the conversation", ...ownEvent }),
  upload: createRoute({
    method: "post",
    path: "/api/attachments",
    tags: ["Files"],
    summary: "Upload a file for a message to come",
    request: {
      query: z.object({ name: z.string().max(500).optional() }),
      body: { required: true, content: { "*/*": { schema: { type: "string", format: "binary" } } } },
    },
    responses: {
      201: json(attachment, "Stored; kept for a day unless a message has it"),
      413: json(error, "Too large"),
      429: json(error, "Too much was uploaded by this session within an hour"),
      507: json(error, "The gateway has no room for more files"),
      ...refusals,
    },
  }),
  download: createRoute({
    method: "get",
    path: "/api/attachments/{id}",
    tags: ["Files"],
    summary: "A file of this session",
    request: { params: z.object({ id: z.string().max(100) }) },
    responses: {
      200: { description: "Its bytes", content: { "*/*": { schema: { type: "string", format: "binary" } } } },
      404: json(error, "Not there, no longer kept, or another session's"),
      401: refusals[401],
    },
  }),
  events: createRoute({
    method: "get",
    path: "/api/events",
    tags: ["Conversation"],
    summary: "What happens, as server-sent events: message, delta, typing, status, reset, ping",
    request: {
      query: z.object({
        after: z
          .string()
          .regex(/^\d{1,15}$/)
          .optional(),
      }),
      headers: z.object({ "last-event-id": z.string().optional() }),
    },
    responses: {
      200: { description: "The stream", content: { "text/event-stream": { schema: { type: "string" } } } },
      410: json(error, "That place is gone: read the history again"),
      429: json(error, "Too many streams of this session"),
      ...refusals,
    },
  }),
};
