/** What the routes are made of. */
import { z } from "@hono/zod-openapi";

export const error = z.object({ error: z.object({ code: z.string(), message: z.string() }) }).openapi("Error");
export const time = z.iso.datetime();
export const json = <Schema extends z.ZodType>(schema: Schema, description: string) => ({
  content: { "application/json": { schema } },
  description,
});
export const common = { security: [{ key: [] }] };
export const refusals = {
  400: json(error, "Not valid; the message says why"),
  401: json(error, "The key is missing or wrong"),
  429: json(error, "Too many wrong keys came from this address: none is looked at until Retry-After is over"),
  503: json(error, "Try again after Retry-After seconds"),
};
export const notFound = { 404: json(error, "There is no such thing, or it is another tenant's") };
export const refusedNow = { 409: json(error, "It is there, and this cannot be done with it; the message says why") };
export const limitOf = (most: number, usual: number) =>
  z.coerce
    .number()
    .int()
    .min(1)
    .max(most)
    .default(usual)
    .openapi({ description: `At most ${most}` });
export const id = {
  params: z.object({ id: z.string().min(1).max(2_000).openapi({ description: "Percent-encoded" }) }),
};
export const acted = z.object({ id: z.string() });
export const bodyOf = <Schema extends z.ZodType>(schema: Schema) => ({
  required: true,
  content: { "application/json": { schema } },
});
export const idempotency = z.object({
  "idempotency-key": z.string().min(1).max(200).openapi({
    description: "The same once more is the same request: unique within the conversation, for eight days",
  }),
});
export const noteForAgent = z.string().max(2_000).optional().openapi({ description: "For the agent, as data" });
/** What was said in a conversation: one item of it. */
export const saidItem = z.object({
  role: z.enum(["user", "agent", "note", "operator"]),
  text: z.string(),
  at: time,
  name: z.string().optional(),
});
