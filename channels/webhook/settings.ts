import { z } from "zod";
import { secretProblem } from "./verify.ts";

export const webhookSettings = z.strictObject({
  /** WEBHOOK_SECRET: base64 or whsec_…; several, separated by spaces or commas, while one replaces another. */
  secret: z.string().superRefine((given, context) => {
    const message = secretProblem(given);
    if (message !== undefined) context.addIssue({ code: "custom", message });
  }),
  /** How long a request that waits is held at most, in seconds. */
  waitSeconds: z.number().positive().max(110).default(60),
  textLength: z.number().int().positive().default(100_000),
  bodyBytes: z
    .number()
    .int()
    .positive()
    .default(1024 * 1024),
});
export type WebhookSettings = z.infer<typeof webhookSettings>;
