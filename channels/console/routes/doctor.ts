import { createRoute, z } from "@hono/zod-openapi";
import { consolePath as base } from "../settings.ts";
import { common, json, refusals } from "./parts.ts";

const finding = z.object({ ok: z.boolean(), text: z.string(), next: z.string().optional() });
const examined = z
  .object({ ok: z.boolean(), reports: z.array(z.object({ topic: z.string(), findings: z.array(finding) })) })
  .openapi("Examined");

export const doctorRoutes = {
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
