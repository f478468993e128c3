/** A verified body as the core's event. Pure. */
import { z } from "zod";
import { InputError } from "../../src/errors.ts";
import { type AccountRef, conversationId, messageId, participantId } from "../../src/ids.ts";
import type { Address, InboundEvent, MediaKind } from "../../src/message.ts";
import { longestWords, thumbs } from "../../src/rating.ts";

/** Any text is an id: what is too long for a key is replaced by its digest when ids are made of it. */
const platformId = z.string().min(1).max(16_384);
export function isWebUrl(given: string): boolean {
  return given.length <= 4_000 && /^https?:$/.test(URL.parse(given)?.protocol ?? "");
}
const webUrl = z.string().max(4_000).refine(isWebUrl, "must be an http or https URL");

function bodySchema(textLength: number) {
  return z
    .strictObject({
      conversation: platformId,
      participant: platformId,
      /** The participant's name, as the agent shall know it. */
      name: z.string().max(200).optional(),
      /** "group": several participants share the conversation and its memory. */
      kind: z.enum(["direct", "group"]).default("direct"),
      text: z.string().max(textLength).default(""),
      attachments: z
        .array(
          z.strictObject({
            url: webUrl,
            type: z
              .string()
              .regex(/^[a-z]+\/[\w.+-]+$/i, "must be a media type such as image/png")
              .optional(),
            name: z.string().max(200).optional(),
          }),
        )
        .max(20)
        .default([]),
      callbackUrl: webUrl.optional(),
      /** Hold the response until the answer is there: true, or for that many seconds. */
      wait: z.union([z.boolean(), z.number().nonnegative()]).default(false),
    })
    .refine(({ text, attachments }) => text.trim() !== "" || attachments.length > 0, {
      path: ["text"],
      message: "a message needs text or an attachment",
    });
}
export type Body = z.infer<ReturnType<typeof bodySchema>>;

/** Without "{", quotes and white space the signed text can be cut in one way only. */
const webhookId = /^[\w.:~+/=@-]{1,200}$/;

/** @throws InputError that says where what is wrong. */
export function parseBody(id: string, text: string, textLength: number): Body {
  if (!webhookId.test(id)) throw new InputError("webhook-id: must be 1 to 200 letters, digits or . : ~ + / = @ _ -");
  return checked(bodySchema(textLength), jsonIn(text));
}

const feedback = z.strictObject({
  /** The webhook-id of a message that it answers. */
  message: platformId,
  /** Who rates it. */
  participant: platformId,
  /** Null takes it back. */
  thumb: z.enum(thumbs).nullable(),
  words: z.string().max(longestWords).optional(),
});

/** @throws InputError that says where what is wrong. */
export function parseFeedback(text: string): z.infer<typeof feedback> {
  return checked(feedback, jsonIn(text));
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new InputError("The body must be JSON.", { cause: error });
  }
}

function checked<Schema extends z.ZodType>(schema: Schema, given: unknown): z.infer<Schema> {
  const body = schema.safeParse(given);
  if (body.success) return body.data;
  const problems = body.error.issues
    .slice(0, 5)
    .map(({ path, message }) => (path.length === 0 ? message : `${path.join(".")}: ${message}`));
  throw new InputError(problems.join("; "));
}

/**
 * A direct conversation is a thread of its participant: people who use the same name for a conversation share nothing. A group
 * is one conversation of all its participants.
 */
export function addressOf(
  account: AccountRef,
  { kind, conversation, participant }: Pick<Body, "kind" | "conversation" | "participant">,
): Address {
  const { tenant, channel, account: name } = account;
  const own = { tenant, channel, account: name, kind };
  if (kind === "group") return { ...own, conversation: conversationId(account, conversation), chat: conversation };
  const id = conversationId(account, participant, conversation);
  return { ...own, conversation: id, chat: participant, thread: conversation };
}

export function eventOf(account: AccountRef, id: string, body: Body, receivedAt: number): InboundEvent {
  const { participant, name, text, attachments } = body;
  return {
    v: 1,
    kind: "message",
    id: messageId(account, id),
    address: addressOf(account, body),
    participant: { id: participantId(account, participant), user: participant, ...(name !== undefined && { name }) },
    receivedAt,
    raw: { webhookId: id, ...body },
    message: {
      parts: [
        ...(text.trim() === "" ? [] : [{ kind: "text" as const, text, format: "plain" as const }]),
        ...attachments.map(({ url, type = "application/octet-stream", name: file }) => ({
          kind: kindOf(type),
          source: { from: "url" as const, url },
          type,
          ...(file !== undefined && { name: file }),
        })),
      ],
      addressed: true,
      ...commandOf(text),
    },
  };
}

function kindOf(type: string): MediaKind {
  const kind = type.split("/")[0]?.toLowerCase();
  return kind === "image" || kind === "video" || kind === "audio" ? kind : "file";
}

function commandOf(text: string): { command?: { name: string; args: string } } {
  const [, name, args = ""] = /^\/([a-z][a-z0-9_]{0,31})(?:\s+([^]*))?$/i.exec(text.trim()) ?? [];
  return name === undefined ? {} : { command: { name: name.toLowerCase(), args: args.trim() } };
}
