/**
 * What Meta posts, as events. Pure.
 *
 * One request holds any number of entries, changes, messages and statuses, in any order, and any of them again later: every
 * one is read by itself, and what cannot be read keeps up none of the others. Without an event, because nobody who talks to
 * the agent wrote them: service messages, the number's own messages (also those written in the Business app), and all
 * changes that are not about messages.
 *
 * @see https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages
 */
import { createHash } from "node:crypto";
import type { z } from "zod";
import { InputError } from "../../src/errors.ts";
import { conversationId, messageId, participantId, type AccountRef, type MessageId } from "../../src/ids.ts";
import type { Address, InboundEvent, Message, Participant } from "../../src/message.ts";
import { partsOf } from "./content.ts";
import type { PhoneOf } from "./numbers.ts";
import * as wire from "./payload.ts";

export interface ParseContext extends AccountRef {
  readonly phoneNumberId: string;
  readonly receivedAt: number;
}

export interface Parsed {
  /** By the time of writing. */
  readonly events: readonly InboundEvent[];
  /** Each with itself in the envelope that it came in. */
  readonly statuses: readonly { readonly status: wire.Status; readonly raw: unknown }[];
  readonly unreadable: readonly { readonly id: MessageId; readonly raw: unknown; readonly reason: string }[];
  /** Of people whose id is known: their phone numbers, where they are not hidden. */
  readonly numbers: readonly PhoneOf[];
  /** Other changes, by their field, and the codes of errors of the account. */
  readonly others: readonly string[];
}

type Found = { -readonly [Name in keyof Parsed]: Parsed[Name][number][] };

/** @throws InputError for what is no webhook of WhatsApp's. */
export function parse(payload: unknown, context: ParseContext): Parsed {
  const given = wire.payload.safeParse(payload);
  if (!given.success) throw new InputError("whatsapp: no webhook of a WhatsApp Business account");
  const found: Found = { events: [], statuses: [], unreadable: [], numbers: [], others: [] };
  for (const one of given.data.entry) {
    const entry = wire.entry.safeParse(one);
    if (!entry.success) unreadable(found, context, envelope("", "messages", one), reasonOf(entry.error));
    else for (const { field, value } of entry.data.changes) readChange(found, context, entry.data.id, field, value);
  }
  found.events.sort((one, other) => (one.sequence ?? 0) - (other.sequence ?? 0));
  return found;
}

function readChange(found: Found, context: ParseContext, entry: string, field: string, given: unknown): void {
  if (field !== "messages") return void found.others.push(field);
  const parsed = wire.value.safeParse(given);
  if (!parsed.success) return unreadable(found, context, envelope(entry, field, given), reasonOf(parsed.error));
  const value = parsed.data;
  const { messaging_product: product = "whatsapp", metadata } = value;
  const alone = (of: object) => envelope(entry, field, { messaging_product: product, metadata, ...of });
  found.others.push(...value.errors.map(({ code }) => `error ${code}`));
  for (const one of value.statuses) {
    const status = wire.status.safeParse(one);
    const raw = alone({ statuses: [one] });
    if (metadata.phone_number_id !== context.phoneNumberId) found.others.push("statuses of another number");
    else if (status.success) found.statuses.push({ status: status.data, raw });
    else unreadable(found, context, raw, reasonOf(status.error));
  }
  for (const one of value.messages) {
    const contact = contactOf(one, value);
    const raw = alone({ contacts: contact === undefined ? [] : [contact], messages: [one] });
    try {
      const event = readMessage(one, contact, value, { ...context, raw });
      if (event === undefined) continue;
      found.events.push(event);
      const { user } = event.participant;
      const phone = digitsOf(contact?.wa_id);
      if (phone !== "" && phone !== digitsOf(user)) found.numbers.push({ phone, user });
    } catch (error) {
      unreadable(found, context, raw, error instanceof Error ? error.message : String(error), idOf(one));
    }
  }
}

interface MessageContext extends ParseContext {
  readonly raw: unknown;
}

/** @throws InputError that says what is wrong, without message text. */
function readMessage(
  given: unknown,
  contact: wire.Contact | undefined,
  { metadata }: wire.Value,
  context: MessageContext,
): InboundEvent | undefined {
  if (metadata.phone_number_id !== context.phoneNumberId) {
    throw new InputError(
      `whatsapp: a message to another number (id ${metadata.phone_number_id.slice(0, 40)}): give that number an account, and a callback address of its own at Meta`,
    );
  }
  const parsed = wire.message.safeParse(given);
  if (!parsed.success) throw new InputError(`whatsapp: a message cannot be read: ${reasonOf(parsed.error)}`);
  const message = parsed.data;
  const own = digitsOf(metadata.display_phone_number);
  if (own !== "" && digitsOf(message.from) === own) return undefined;
  const user = message.from_user_id ?? contact?.user_id ?? message.from ?? contact?.wa_id;
  if (user === undefined || user === "") {
    if (message.type === "system") return undefined;
    throw new InputError("whatsapp: a message does not say whom it is from");
  }
  const chat = message.group_id ?? user;
  const platformId = (id: string) => messageId(context, chat, id);
  const header = {
    v: 1 as const,
    id: platformId(message.id),
    address: addressOf(chat, message.group_id === undefined ? "direct" : "group", context),
    participant: participantOf(user, contact, context),
    sentAt: message.timestamp * 1_000,
    sequence: message.timestamp * 1_000,
    receivedAt: context.receivedAt,
    raw: context.raw,
  };
  const { reaction, edit, revoke } = message;
  if (message.type === "reaction" && reaction !== undefined) {
    // A reaction that was taken back does not say which one it was.
    const added = reaction.emoji === undefined || reaction.emoji === "" ? [] : [reaction.emoji];
    return { ...header, kind: "reacted", target: platformId(reaction.message_id), added, removed: [] };
  }
  if (message.type === "revoke" && revoke !== undefined) {
    return { ...header, kind: "deleted", targets: [platformId(revoke.original_message_id)] };
  }
  const asked = message.type === "edit" && edit !== undefined ? edit.message : message;
  const content = contentOf(asked, header.address.kind, own, platformId);
  if (content === undefined) return undefined;
  if (asked === message) return { ...header, kind: "message", message: content };
  return { ...header, kind: "edited", target: platformId(edit?.original_message_id ?? ""), message: content };
}

/** Undefined for what nobody wrote. */
function contentOf(
  message: wire.Written,
  kind: Address["kind"],
  own: string,
  platformId: (id: string) => MessageId,
): Message | undefined {
  const parts = partsOf(message, platformId);
  if (parts.length === 0) return undefined;
  const text = message.text?.body ?? "";
  const reply = message.context;
  const toOwn = own !== "" && digitsOf(reply?.from) === own;
  const mentioned = own !== "" && new RegExp(`@\\+?${own}\\b`).test(text);
  const pressed = parts.some((part) => part.kind === "press");
  const [, name, args = ""] = /^\/([a-z][a-z0-9_]{0,31})(?:\s+([^]*))?$/i.exec(text.trim()) ?? [];
  const addressed = kind === "direct" || toOwn || mentioned || pressed;
  return {
    parts,
    addressed,
    ...(name === undefined || !addressed ? {} : { command: { name: name.toLowerCase(), args: args.trim() } }),
    ...(typeof reply?.id === "string" && !pressed
      ? { replyTo: { id: platformId(reply.id), ...(toOwn ? { own: true } : {}) } }
      : {}),
  };
}

function addressOf(chat: string, kind: Address["kind"], { tenant, channel, account }: AccountRef): Address {
  const of = { tenant, channel, account };
  return { ...of, conversation: conversationId(of, chat), kind, chat };
}

function participantOf(user: string, contact: wire.Contact | undefined, account: AccountRef): Participant {
  const { name, username } = contact?.profile ?? {};
  return {
    id: participantId(account, user),
    user,
    ...(name === undefined || name === "" ? {} : { name }),
    ...(username === undefined || username === "" ? {} : { handle: username }),
  };
}

/** Whoever wrote it, among the people that the same change describes. */
function contactOf(given: unknown, { contacts }: wire.Value): wire.Contact | undefined {
  const people = contacts.flatMap((one): wire.Contact[] => {
    const { data } = wire.contact.safeParse(one);
    return data === undefined ? [] : [data];
  });
  const from = wire.message.pick({ from: true, from_user_id: true }).safeParse(given).data;
  if (from === undefined) return undefined;
  const own = people.find(
    ({ user_id: user, wa_id: phone }) =>
      (user !== undefined && user === from.from_user_id) || (phone !== undefined && phone === from.from),
  );
  // A person whose number is hidden may be named in the one place only.
  return (
    own ?? (people.length === 1 && from.from === undefined && from.from_user_id === undefined ? people[0] : undefined)
  );
}

function unreadable(found: Found, account: AccountRef, raw: unknown, reason: string, id?: string): void {
  const digest = createHash("sha256").update(JSON.stringify(raw)).digest("base64url");
  found.unreadable.push({ id: messageId(account, "unreadable", id ?? digest), raw, reason });
}

/** As Meta would have posted it alone. */
function envelope(id: string, field: string, value: unknown): unknown {
  return { object: "whatsapp_business_account", entry: [{ id, changes: [{ field, value }] }] };
}

function idOf(given: unknown): string | undefined {
  const id = typeof given === "object" && given !== null && "id" in given ? given.id : undefined;
  return typeof id === "string" && id !== "" ? id : undefined;
}

/** Where what is wrong, without any value. */
function reasonOf(error: z.ZodError): string {
  return error.issues
    .slice(0, 3)
    .map(({ path, code }) => `${path.join(".")}: ${code}`)
    .join("; ");
}

function digitsOf(number: string | undefined): string {
  return (number ?? "").replace(/\D/g, "");
}
