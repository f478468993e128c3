import { createRoute, z } from "@hono/zod-openapi";
import { consolePath as base } from "../settings.ts";
import { common, json, limitOf, refusals, time } from "./parts.ts";

const setAside = z.object({ id: z.string(), conversation: z.string(), rule: z.string(), at: time }).openapi("SetAside");

export const journalRoutes = {
  journal: createRoute({
    method: "get",
    path: `${base}/journal`,
    tags: ["Journal"],
    summary: "Messages that were set aside and by which rule, the newest first",
    ...common,
    request: { query: z.object({ limit: limitOf(1_000, 50), conversation: z.string().max(1_000).optional() }) },
    responses: { 200: json(z.object({ entries: z.array(setAside) }), "Entries"), ...refusals },
  }),
};
