import { createRoute, z } from "@hono/zod-openapi";
import { budgetScopes, budgetWindows } from "../../../src/budgets.ts";
import { consolePath as base } from "../settings.ts";
import { common, json, limitOf, notFound, refusals, refusedNow } from "./parts.ts";

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

export const usageRoutes = {
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
};
