/** A source that posts in its own words: what it sent, its id, and the message that the mapping makes of it. */
import { createHash } from "node:crypto";
import { z } from "zod";
import type { Unreadable } from "../../src/channel.ts";
import { InputError } from "../../src/errors.ts";
import { type AccountRef, messageId } from "../../src/ids.ts";
import type { Clock } from "../../src/ports.ts";
import { createMapping, MappingError } from "./mapping.ts";
import { type Body, isWebUrl } from "./parse.ts";
import type { WebhookSettings } from "./settings.ts";

/** What is kept of a request. As a dead letter it is all that reading it again needs. */
const posted = z.object({
  headers: z.record(z.string(), z.string()),
  body: z.unknown(),
  /** SHA-256 of the bytes. */
  digest: z.string(),
});
export type Posted = z.infer<typeof posted>;

/** A message under its id; undefined: the mapping gives no text, so that it is none. */
export interface Mapped {
  readonly id: string;
  readonly body: Body;
}

export interface Source {
  /** @throws InputError where the body is neither JSON nor a form; what comes from a binding may be any text. */
  read(headers: Headers, text: string): Posted;
  /** @throws InputError for what this channel did not set aside. */
  readAgain(raw: unknown): Posted;
  /** @throws MappingError where the expressions do not fit; its words hold nothing of the event. */
  map(given: Posted): Promise<Mapped>;
  unreadable(given: Posted, reason: string): Unreadable;
  close(): void;
}

const confidential = ["authorization", "cookie", "proxy-authorization", "webhook-signature", "dapr-api-token"];
const longestId = 16_384;

export function createSource(
  account: AccountRef,
  { mapping, signature, textLength }: WebhookSettings & { mapping: NonNullable<WebhookSettings["mapping"]> },
  clock: Clock,
): Source {
  const { kind, timeoutMs, ...expressions } = mapping;
  const given = Object.fromEntries(Object.entries(expressions).filter(([, one]) => one !== undefined));
  const evaluation = createMapping(
    { expressions: given as Record<string, string>, timeoutMs, longest: textLength },
    clock,
  );
  const isBinding = signature.scheme === "binding";
  const secret = new Set([...confidential, "header" in signature ? signature.header.toLowerCase() : ""]);

  function needed(values: Readonly<Record<string, string>>, field: string): string {
    const value = values[field];
    if (value === undefined || value === "") throw new MappingError(`${field}: gives nothing`);
    if (value.length > longestId) throw new MappingError(`${field}: gives more than ${longestId} characters`);
    return value;
  }

  return {
    read(headers, text) {
      return {
        headers: Object.fromEntries([...headers].filter(([name]) => !secret.has(name))),
        body: bodyOf(headers.get("content-type") ?? "", text, isBinding),
        digest: digestOf(text),
      };
    },
    readAgain(raw) {
      const known = posted.safeParse(raw);
      if (known.success) return known.data;
      throw new InputError("webhook: this letter was not set aside by a mapping", { status: 422 });
    },
    async map(of) {
      const { text = "", ...values } = await evaluation.evaluate(of);
      const isNone = text.trim() === "";
      const either = (field: string) => (isNone && (values[field] ?? "") === "" ? "none" : needed(values, field));
      const { callbackUrl } = values;
      if (callbackUrl !== undefined && !isWebUrl(callbackUrl))
        throw new MappingError("callbackUrl: gives no web address");
      const id = expressions.id === undefined || isNone ? idOf(of) : needed(values, "id");
      const body: Body = {
        conversation: either("conversation"),
        participant: either("user"),
        kind,
        text,
        attachments: [],
        wait: false,
        ...(values["name"] === undefined ? {} : { name: values["name"].slice(0, 200) }),
        ...(callbackUrl === undefined ? {} : { callbackUrl }),
      };
      return { id, body };
    },
    unreadable: (of, reason) => {
      const { tenant, channel, account: name } = account;
      // A component's events may be alike but for their metadata: none may replace another's letter.
      const id = isBinding ? digestOf(JSON.stringify([of.headers, of.digest])) : idOf(of);
      return { account: { tenant, channel, account: name }, id: messageId(account, id), raw: of, reason };
    },
    close: () => evaluation.close(),
  };
}

/** The sender's own where it follows the scheme; else what is posted twice in the same bytes is one event. */
function idOf({ headers, digest }: Posted): string {
  return headers["webhook-id"] ?? digest;
}

function digestOf(text: string): string {
  return createHash("sha256").update(text).digest("base64url");
}

function bodyOf(type: string, text: string, isAnyText: boolean): unknown {
  if (/^application\/x-www-form-urlencoded\b/i.test(type)) {
    const fields = new URLSearchParams(text);
    return Object.fromEntries(
      [...new Set(fields.keys())].map((name) => {
        const [first, ...more] = fields.getAll(name);
        return [name, more.length === 0 ? first : [first, ...more]];
      }),
    );
  }
  // A timer has nothing to say.
  if (text === "") return null;
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    if (isAnyText) return text;
    throw new InputError("The body must be JSON, or a form's fields.", { cause: error });
  }
}
