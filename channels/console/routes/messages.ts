import { createRoute, z } from "@hono/zod-openapi";
import { sendOrder } from "../../../src/operations.ts";
import { consolePath as base } from "../settings.ts";
import { bodyOf, common, error, idempotency, json, notFound, refusals } from "./parts.ts";

export const messageRoutes = {
  send: createRoute({
    method: "post",
    path: `${base}/messages`,
    tags: ["Messages"],
    summary: "Write first: words that go out as they are, or a note of which the agent makes what it writes",
    ...common,
    request: {
      headers: idempotency,
      body: bodyOf(sendOrder.omit({ id: true }).strict()),
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
};
