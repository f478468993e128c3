import { createRoute, z } from "@hono/zod-openapi";
import { consolePath as base } from "../settings.ts";
import { acted, common, id, json, limitOf, notFound, refusals, refusedNow, time } from "./parts.ts";

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

export const webhookRoutes = {
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
};
