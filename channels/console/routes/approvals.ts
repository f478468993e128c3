import { createRoute, z } from "@hono/zod-openapi";
import { consolePath as base } from "../settings.ts";
import { acted, bodyOf, common, id, json, noteForAgent, notFound, refusals, refusedNow, time } from "./parts.ts";

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

const rule = (name: "approve" | "deny", summary: string) =>
  createRoute({
    method: "post",
    path: `${base}/approvals/{id}/${name}`,
    tags: ["Approvals"],
    summary,
    ...common,
    request: {
      ...id,
      body: bodyOf(z.strictObject({ note: noteForAgent })),
    },
    responses: {
      202: json(acted, "The agent goes on with it in its conversation's order"),
      ...notFound,
      ...refusedNow,
      ...refusals,
    },
  });

export const approvalRoutes = {
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
};
