import { createRoute, z } from "@hono/zod-openapi";
import { connectionStates } from "../../../src/connections.ts";
import { consolePath as base } from "../settings.ts";
import { common, json, notFound, refusals, refusedNow, time } from "./parts.ts";

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

const accountParams = { params: z.object({ channel: z.string().max(100), account: z.string().max(100) }) };

export const channelRoutes = {
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
};
