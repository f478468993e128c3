import { createRequire } from "node:module";
import type jsonata from "jsonata";
import { z } from "zod";
import { secretProblem, secretsIn } from "./secrets.ts";

const require = createRequire(import.meta.url);

/** Parsed when the gateway starts: what is written wrong is found then, not with the first event. */
const expression = z
  .string()
  .min(1, "is empty")
  .superRefine((given, context) => {
    try {
      // Only who has a mapping pays for the library.
      (require("jsonata") as typeof jsonata)(given);
    } catch (error) {
      const { message, position } = error as { message?: string; position?: number };
      const where = position === undefined ? "" : `, at character ${position}`;
      context.addIssue({ code: "custom", message: `is no JSONata expression: ${message ?? "unknown"}${where}` });
    }
  });

const settings = z.strictObject({
  /**
   * WEBHOOK_SECRET: base64 or whsec_…; several, separated by spaces or commas, while one replaces another. Needed everywhere but
   * for a binding without callbacks.
   */
  secret: z.string().default(""),
  /** How a source that has its own way shows that it is the one; any secret does for these. */
  signature: z
    .discriminatedUnion("scheme", [
      z.strictObject({ scheme: z.literal("standard") }),
      /** HMAC-SHA256 of the body alone, as GitHub has it. */
      z.strictObject({
        scheme: z.literal("hmac-sha256"),
        header: z.string().min(1).default("X-Hub-Signature-256"),
        prefix: z.string().default("sha256="),
        encoding: z.enum(["hex", "base64"]).default("hex"),
      }),
      /** The secret itself: in Authorization behind "Bearer ", in any other header alone. */
      z.strictObject({ scheme: z.literal("secret"), header: z.string().min(1).default("Authorization") }),
      /** No request at all: a component of the Dapr runtime, whose sidecar is known by its token. */
      z.strictObject({ scheme: z.literal("binding"), name: z.string().regex(/^[A-Za-z0-9][\w.-]*$/, "is no name") }),
    ])
    .default({ scheme: "standard" }),
  /** What is posted becomes a message by these JSONata expressions over its JSON; $headers holds the request's headers. */
  mapping: z
    .strictObject({
      /** Nothing: the event is none, and is set aside as empty. */
      text: expression,
      user: expression,
      conversation: expression,
      /** The same id is the same event. Without it: the webhook-id, or the body's digest where there is none. */
      id: expression.optional(),
      /** The user's name, as the agent shall know it. */
      name: expression.optional(),
      callbackUrl: expression.optional(),
      /** "group": the users share the conversation. */
      kind: z.enum(["direct", "group"]).default("direct"),
      timeoutMs: z.number().int().positive().max(10_000).default(2_000),
    })
    .optional(),
  /** How long a request that waits is held at most, in seconds. */
  waitSeconds: z.number().positive().max(110).default(60),
  textLength: z.number().int().positive().default(100_000),
  bodyBytes: z
    .number()
    .int()
    .positive()
    .default(1024 * 1024),
});
export type WebhookSettings = z.output<typeof settings>;

export const webhookSettings = settings.superRefine(({ secret, signature, mapping }, context) => {
  const complain = (path: string[], message: string) => context.addIssue({ code: "custom", path, message });
  const problem = secretProblemOf(secret, signature.scheme, mapping?.callbackUrl !== undefined);
  if (problem !== undefined) complain(["secret"], problem);
  if (signature.scheme === "standard") return;
  if (mapping === undefined) {
    complain(["mapping"], `is not set, and signature.scheme "${signature.scheme}" needs it: docs/webhooks.md`);
  } else if (signature.scheme === "binding" && mapping.id === undefined) {
    complain(["mapping", "id"], `is not set: say by what an event that comes from "${signature.name}" twice is known`);
  }
});

/** What goes out by callbacks is signed, whatever shows that what comes in is genuine. */
function secretProblemOf(secret: string, scheme: WebhookSettings["signature"]["scheme"], hasCallbacks: boolean) {
  const isEmpty = secretsIn(secret).length === 0;
  if (scheme === "standard" || (scheme === "binding" && (hasCallbacks || !isEmpty))) return secretProblem(secret);
  if (scheme === "binding" || !isEmpty) return undefined;
  return "is empty, so that anybody could speak for this source: take the one that it has";
}
