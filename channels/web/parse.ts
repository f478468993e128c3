/** What a person did on the page, as the core's events. Pure. */
import { type AccountRef, conversationId, messageId, participantId } from "../../src/ids.ts";
import type { Address, InboundEvent, InboundPart, MediaKind, Message, Participant } from "../../src/message.ts";
import type { FromPerson, Placed, StoredAttachment } from "./entry.ts";

export function addressOf(account: AccountRef, session: string): Address {
  const { tenant, channel, account: name } = account;
  return {
    tenant,
    channel,
    account: name,
    conversation: conversationId(account, session),
    kind: "direct",
    chat: session,
  };
}

/** What a browser tells of its person with each message. */
export interface Browser {
  readonly locale?: string | undefined;
  readonly timeZone?: string | undefined;
}

export function participantOf(account: AccountRef, session: string, { locale, timeZone }: Browser = {}): Participant {
  return {
    id: participantId(account, session),
    user: session,
    ...(locale !== undefined && { locale }),
    ...(timeZone !== undefined && { timeZone }),
  };
}

/**
 * The event of a stored entry: the same whenever it is made again, so that handing it over twice is harmless. Its sequence is
 * the entry's place in the transcript.
 */
export function eventOf(account: AccountRef, session: string, { n, at, entry }: Placed<FromPerson>): InboundEvent {
  return {
    v: 1,
    kind: "message",
    id: messageId(account, session, entry.client),
    address: addressOf(account, session),
    participant: participantOf(account, session, entry),
    sequence: n,
    receivedAt: at,
    raw: entry,
    message: entry.kind === "command" ? commandMessage(entry.name) : userMessage(account, session, entry),
  };
}

function commandMessage(name: string): Message {
  return { parts: [{ kind: "text", text: `/${name}`, format: "plain" }], addressed: true, command: { name, args: "" } };
}

function userMessage(account: AccountRef, session: string, entry: Extract<FromPerson, { kind: "user" }>): Message {
  const { text, attachments, press, replyTo } = entry;
  const parts: InboundPart[] = [];
  if (press !== undefined) parts.push({ kind: "press", ...press });
  else if (text !== "") parts.push({ kind: "text", text, format: "plain" });
  parts.push(...attachments.map(mediaOf));
  const command = press === undefined ? commandOf(text) : undefined;
  return {
    parts,
    addressed: true,
    ...(command !== undefined && { command }),
    ...(replyTo !== undefined && {
      replyTo: {
        text: replyTo.text,
        own: replyTo.own,
        ...(!replyTo.own && { id: messageId(account, session, replyTo.message.replace(/^u-/, "")) }),
      },
    }),
  };
}

/** "/name" alone or with text behind it; a path such as "/etc/hosts" is none. */
export function commandOf(text: string): { name: string; args: string } | undefined {
  const [, name, args = ""] = /^\/([a-z][a-z0-9_]{0,31})(?:\s+([^]*))?$/i.exec(text.trim()) ?? [];
  return name === undefined ? undefined : { name: name.toLowerCase(), args: args.trim() };
}

function mediaOf({ blob, name, type, size }: StoredAttachment): InboundPart {
  return { kind: kindOf(type), source: { from: "blob", id: blob }, type, name, size };
}

function kindOf(type: string): MediaKind {
  const kind = type.split("/")[0];
  if (type === "image/svg+xml") return "file";
  return kind === "image" || kind === "video" || kind === "audio" ? kind : "file";
}

/** The first language of an Accept-Language header that is a plain tag. */
export function localeOf(header: string | null | undefined): string | undefined {
  const tag = header?.split(",")[0]?.split(";")[0]?.trim();
  return tag !== undefined && /^[a-z]{2,3}(-[a-z0-9]{2,8})*$/i.test(tag) ? tag : undefined;
}

/** The header X-Time-Zone, where it names a zone that is known. */
export function timeZoneOf(header: string | null | undefined): string | undefined {
  if (header === null || header === undefined || header.length > 64) return undefined;
  try {
    return new Intl.DateTimeFormat("en", { timeZone: header }).resolvedOptions().timeZone;
  } catch {
    return undefined; // a browser that is newer than this program, or no browser: the person is asked
  }
}
