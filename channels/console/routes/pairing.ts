import { createRoute, z } from "@hono/zod-openapi";
import { consolePath as base } from "../settings.ts";
import { bodyOf, common, json, notFound, refusals, time } from "./parts.ts";

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
const decided = z
  .object({ channel: z.string(), account: z.string(), user: z.string(), state: z.enum(["approved", "denied"]) })
  .openapi("Decided");

const decide = (name: "approve" | "deny", summary: string) =>
  createRoute({
    method: "post",
    path: `${base}/pairing/${name}`,
    tags: ["Pairing"],
    summary,
    ...common,
    request: {
      body: bodyOf(
        z.strictObject({
          who: z
            .string()
            .min(1)
            .max(1_000)
            .openapi({ description: "A code, or channel/account/user, whether they asked or not" }),
        }),
      ),
    },
    responses: { 200: json(decided, "Decided"), ...notFound, ...refusals },
  });

export const pairingRoutes = {
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
};
