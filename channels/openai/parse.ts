/** A request as the core's event. Pure. */
import { createHash } from "node:crypto";
import { z } from "zod";
import { type AccountRef, conversationId, encodePart, messageId, participantId } from "../../src/ids.ts";
import type { Address, InboundMessage, InboundPart, Told } from "../../src/message.ts";
import type { Given } from "./content.ts";
import { RequestError } from "./errors.ts";

/** What either API asks, in one form. */
export interface Asked {
  readonly api: "chat" | "responses";
  readonly model: string;
  readonly stream: boolean;
  /** The caller's own user; empty where it names none. */
  readonly user: string;
  /** The caller's name for the conversation. */
  readonly conversation?: string;
  /** The response that is continued. */
  readonly previous?: string;
  /** Of a conversation without a name: what was said before, by words or by the id of an answer. */
  readonly before: readonly (Told | { readonly ref: string })[];
  readonly given: readonly Given[];
  readonly metadata: Readonly<Record<string, string>>;
}

/** What a conversation is known by. */
type Named = Pick<Asked, "model" | "user" | "conversation">;

/** The account's own agent, whichever that is. */
export const ownModels = ["ascent", "default"] as const;

/** Any text is a name: what is too long for a key is replaced by its digest when ids are made of it. */
const longestName = 16_384;
const name = z.string().min(1).max(longestName);
/** What both APIs have in common; what is not named here or where it is used is ignored. */
export const common = {
  stream: z.boolean().nullish(),
  user: name.nullish(),
  safety_identifier: name.nullish(),
  metadata: z.record(z.string().max(64), z.string().max(512)).nullish(),
};

/** Parameters that would change what an answer is: they are refused, since leaving them out would be another answer. */
export function unsupported(why: string, isAsked: (value: unknown) => boolean = (value) => !isEmpty(value)) {
  const fits = z.unknown().refine((value) => value === undefined || value === null || !isAsked(value), {
    message: why,
    params: { code: "unsupported_parameter" },
  });
  return fits.optional();
}
export function isEmpty(value: unknown): boolean {
  return value === false || value === "" || (Array.isArray(value) && value.length === 0);
}
export const ownTools = "the gateway's agents have tools of their own and take none from a request";

/** @throws RequestError with the first place that does not fit. */
export function fitted<Schema extends z.ZodType>(schema: Schema, body: unknown): z.infer<Schema> {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const issue = deepest(parsed.error.issues[0]);
  const param = issue.path.map((at) => (typeof at === "number" ? `[${at}]` : `.${String(at)}`)).join("");
  const bare = param.replace(/^\./, "");
  const code = issue.code === "custom" ? (issue.params?.["code"] as string | undefined) : undefined;
  throw new RequestError(bare === "" ? issue.message : `${bare}: ${issue.message}`, {
    ...(bare !== "" && { param: bare }),
    ...(code !== undefined && { code }),
  });
}

type Issue = z.core.$ZodIssue;
/** Of a union, what is wrong with the form that fits best. */
function deepest(issue: Issue | undefined): Issue {
  if (issue === undefined) throw new Error("nothing is wrong");
  if (issue.code !== "invalid_union") return issue;
  const inner = issue.errors.map(([first]) => first).filter((one) => one !== undefined);
  const best = inner.toSorted((a, b) => b.path.length - a.path.length)[0];
  if (best === undefined || best.path.length === 0) return issue;
  const deeper = deepest(best);
  return { ...deeper, path: [...issue.path, ...deeper.path] };
}

/** A byte order mark before it is passed over. @throws RequestError where it is no JSON object. */
export function jsonOf(text: string): Record<string, unknown> {
  try {
    const body: unknown = JSON.parse(text.replace(/^\ufeff/, ""));
    if (typeof body === "object" && body !== null && !Array.isArray(body)) return body as Record<string, unknown>;
  } catch (error) {
    throw new RequestError("The body must be JSON.", { cause: error });
  }
  throw new RequestError("The body must be a JSON object.");
}

/** @throws RequestError */
export function conversationOf(
  headers: Headers,
  metadata: Readonly<Record<string, string>>,
  own?: string | null,
): string | undefined {
  const given = headers.get("x-conversation-id") ?? own ?? metadata["conversation"];
  if (given === undefined || given === null) return undefined;
  if (given === "" || given.length > longestName)
    throw new RequestError(`a conversation's name has 1 to ${longestName} characters`, { param: "conversation" });
  return given;
}

/** The newest of what was said before that fits. @throws RequestError for a message that is too long. */
export function bounded(asked: Asked, textLength: number): Asked {
  const length = asked.given.reduce((sum, one) => sum + (one.kind === "text" ? one.text.length : 0), 0);
  if (length > textLength) {
    const message = `A message has at most ${textLength} characters.`;
    throw new RequestError(message, { param: "messages", code: "string_above_max_length" });
  }
  let left = textLength;
  const newest = asked.before.slice(-mostBefore);
  const from = newest.findLastIndex((one) => (left -= "ref" in one ? 0 : one.text.length) < 0);
  return { ...asked, before: newest.slice(from + 1) };
}
const mostBefore = 200;

/** One message under one Idempotency-Key of one caller. */
export function callIdOf(caller: string, idempotencyKey: string): string {
  const id = JSON.stringify([caller, idempotencyKey]);
  return createHash("sha256").update(id).digest("base64url").slice(0, 32);
}

/** The same for the same question, streamed or not. */
export function digestOf(api: string, headers: Headers, body: Record<string, unknown>): string {
  const { stream: _stream, stream_options: _options, ...rest } = body;
  try {
    const asked = JSON.stringify([api, headers.get("x-conversation-id"), rest]);
    return createHash("sha256").update(asked).digest("base64url");
  } catch (error) {
    throw new RequestError("The body is nested too deep.", { cause: error });
  }
}

/**
 * A conversation belongs to its caller, the caller's user and the model that was asked; without a name it is the call's own.
 * Of one caller, user and model, no two names are the same, and none is a call's.
 */
export function chatOf(caller: string, { model, user, conversation }: Named, call: string): string {
  const own = conversation === undefined ? `call-${call}` : `name-${conversation}`;
  return [caller, isOwn(model) ? "" : model, user, own].map(encodePart).join("/");
}

export function isNamed(chat: string): boolean {
  // What is too long for a part stands there as its digest: a call's own never is.
  return !/\/call-[\w-]+$/.test(chat);
}

function isOwn(model: string): boolean {
  return (ownModels as readonly string[]).includes(model);
}

export function addressOf(account: AccountRef, chat: string, model: string): Address {
  const { tenant, channel, account: own } = account;
  return {
    tenant,
    channel,
    account: own,
    conversation: conversationId(account, chat),
    kind: "direct",
    chat,
    ...(!isOwn(model) && { agent: model }),
  };
}

export interface Call {
  readonly id: string;
  readonly at: number;
  readonly chat: string;
  readonly caller: string;
}

/**
 * The event of a call: the same whenever it is made again. Each conversation is a person of its own to the core, so that none
 * remembers what was said in another.
 */
export function eventOf(
  account: AccountRef,
  { id, at, chat, caller }: Call,
  asked: Asked,
  { parts, before }: { readonly parts: readonly InboundPart[]; readonly before: readonly Told[] },
): InboundMessage {
  const { api, model, user } = asked;
  return {
    v: 1,
    kind: "message",
    id: messageId(account, id),
    address: addressOf(account, chat, model),
    participant: { id: participantId(account, chat), user: user === "" ? caller : user },
    receivedAt: at,
    raw: { api, call: id, model, user, chat },
    message: { parts: [...parts], addressed: true, ...(before.length > 0 && { before: [...before] }) },
  };
}
