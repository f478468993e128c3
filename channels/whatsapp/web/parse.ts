/**
 * Messages of WhatsApp Web, as its page keeps them, as events. Pure.
 *
 * Without an event: the number's own messages, status posts, channels, chats with bots of WhatsApp's own, and what nobody wrote.
 */
import { z } from "zod";
import { InputError } from "../../../src/errors.ts";
import { conversationId, messageId, participantId, type AccountRef, type MessageId } from "../../../src/ids.ts";
import type { InboundEvent, InboundPart, MediaKind, Message } from "../../../src/message.ts";

/** An id is text, or an object that holds it. */
const wid = z.union([z.string(), z.looseObject({ _serialized: z.string() }).transform((id) => id._serialized)]);
const maybe = z.string().nullish();

const model = z.looseObject({
  id: z.looseObject({ id: z.string().min(1), fromMe: z.boolean(), remote: wid }),
  type: z.string(),
  /** Seconds. */
  t: z.coerce.number(),
  from: wid.nullish(),
  author: wid.nullish(),
  notifyName: maybe,
  body: maybe,
  caption: maybe,
  mimetype: maybe,
  filename: maybe,
  size: z.coerce.number().nullish(),
  duration: z.coerce.number().nullish(),
  lat: z.coerce.number().nullish(),
  lng: z.coerce.number().nullish(),
  loc: maybe,
  vcardFormattedName: maybe,
  vcardList: z.array(z.looseObject({ displayName: maybe, vcard: maybe })).nullish(),
  pollName: maybe,
  pollOptions: z.array(z.looseObject({ name: z.string() })).nullish(),
  mentionedJidList: z.array(wid).nullish(),
  quotedStanzaID: maybe,
  /** Of a deletion: the message it is about, where that is another. */
  protocolMessageKey: z.looseObject({ id: z.string() }).nullish(),
  quotedParticipant: wid.nullish(),
  latestEditSenderTimestampMs: z.coerce.number().nullish(),
  isStatusV3: z.boolean().nullish(),
});
export type WebMessage = z.infer<typeof model>;

export interface WebContext extends AccountRef {
  /** The number's own ids: the one made of its digits, and the one that hides them. */
  readonly own: readonly string[];
  readonly receivedAt: number;
}

/** @throws InputError for what cannot be read. */
export function readModel(given: unknown): WebMessage {
  const parsed = model.safeParse(given);
  if (parsed.success) return parsed.data;
  const where = parsed.error.issues.slice(0, 3).map(({ path, code }) => `${path.join(".")}: ${code}`);
  throw new InputError(`whatsapp: a message of WhatsApp Web cannot be read: ${where.join("; ")}`);
}

/** @throws InputError for what cannot be read. @param edited the words are those of an edit. */
export function parseWeb(given: unknown, context: WebContext, edited = false): InboundEvent | undefined {
  const message = readModel(given);
  const { id, type, t } = message;
  const chat = id.remote;
  if (id.fromMe || message.isStatusV3 === true || !/@(?:c\.us|lid|g\.us)$/.test(chat)) return undefined;
  const user = message.author ?? message.from ?? chat;
  if (context.own.includes(user)) return undefined;
  const group = chat.endsWith("@g.us");
  const target = idOf(context, chat, id.id);
  const { tenant, channel, account } = context;
  const of = { tenant, channel, account };
  const header = {
    v: 1 as const,
    address: {
      ...of,
      conversation: conversationId(of, chat),
      kind: group ? ("group" as const) : ("direct" as const),
      chat,
    },
    participant: {
      id: participantId(of, user),
      user,
      ...(typeof message.notifyName === "string" && message.notifyName !== "" ? { name: message.notifyName } : {}),
      ...(isBot(user) ? { bot: true } : {}),
    },
    sentAt: t * 1_000,
    sequence: t * 1_000,
    receivedAt: context.receivedAt,
    raw: given,
  };
  if (type === "revoked") {
    const deleted = idOf(context, chat, message.protocolMessageKey?.id ?? id.id);
    return { ...header, kind: "deleted", id: idOf(context, chat, id.id, "revoked"), targets: [deleted] };
  }
  const parts = partsOf(message);
  if (parts === undefined) throw new InputError(`whatsapp: a message of type "${type.slice(0, 40)}" cannot be read`);
  if (parts.length === 0) return undefined;
  const content = { ...addressing(message, group, context), parts };
  if (!edited) return { ...header, kind: "message", id: target, message: content };
  const at = String(message.latestEditSenderTimestampMs ?? "");
  return { ...header, kind: "edited", id: idOf(context, chat, id.id, `e${at}`), target, message: content };
}

function idOf(account: AccountRef, chat: string, ...parts: readonly string[]): MessageId {
  return messageId(account, chat, ...parts);
}

/** Such as the assistant that people mention in groups. */
function isBot(user: string): boolean {
  return user.endsWith("@bot");
}

function addressing(
  message: WebMessage,
  group: boolean,
  context: WebContext,
): Pick<Message, "addressed" | "forAnother" | "command" | "replyTo"> {
  const text = (message.body ?? "").trim();
  const named = message.mentionedJidList ?? [];
  const mentioned = named.some((one) => context.own.includes(one));
  const quoted = message.quotedStanzaID;
  const toOwn = typeof message.quotedParticipant === "string" && context.own.includes(message.quotedParticipant);
  const addressed = !group || mentioned || toOwn;
  const [, name, args = ""] =
    message.type === "chat" ? (/^\/([a-z][a-z0-9_]{0,31})(?:\s+([^]*))?$/i.exec(text) ?? []) : [];
  return {
    addressed,
    ...(!addressed && named.some(isBot) ? { forAnother: true } : {}),
    ...(name === undefined || !addressed ? {} : { command: { name: name.toLowerCase(), args: args.trim() } }),
    ...(typeof quoted === "string" && quoted !== ""
      ? { replyTo: { id: idOf(context, message.id.remote, quoted), ...(toOwn ? { own: true } : {}) } }
      : {}),
  };
}

const mediaKinds: Readonly<Record<string, readonly [MediaKind, string]>> = {
  image: ["image", "image/jpeg"],
  video: ["video", "video/mp4"],
  audio: ["audio", "audio/mpeg"],
  ptt: ["voice", "audio/ogg"],
  document: ["file", "application/octet-stream"],
  sticker: ["sticker", "image/webp"],
};
const service =
  /^(?:e2e_notification|notification|notification_template|group_notification|gp2|broadcast_notification|call_log|protocol|ciphertext|debug|newsletter_notification|pinned_message|reaction|biz_content_placeholder)$/;

/** Empty for what nobody wrote; undefined for a type that is not known. */
function partsOf(message: WebMessage): InboundPart[] | undefined {
  const { type } = message;
  if (service.test(type)) return [];
  const medium = mediaKinds[type];
  if (medium !== undefined) return mediaParts(message, medium);
  if (type === "chat") return [plain(message.body ?? "")];
  if (type === "location" && typeof message.lat === "number" && typeof message.lng === "number") {
    const [name, address] = (message.loc ?? "").split("\n");
    const words = {
      ...(name === undefined || name === "" ? {} : { name }),
      ...(address === undefined ? {} : { address }),
    };
    return [{ kind: "location", latitude: message.lat, longitude: message.lng, ...words }];
  }
  if (type === "vcard") return [contact(message.vcardFormattedName ?? "", message.body ?? "")];
  if (type === "multi_vcard")
    return (message.vcardList ?? []).map((one) => contact(one.displayName ?? "", one.vcard ?? ""));
  if (type === "poll_creation") {
    return [plain([message.pollName ?? "", ...(message.pollOptions ?? []).map(({ name }) => `- ${name}`)].join("\n"))];
  }
  return undefined;
}

function mediaParts(message: WebMessage, [kind, type]: readonly [MediaKind, string]): InboundPart[] {
  const { id, mimetype, filename, size, duration, caption } = message;
  const group = id.remote.endsWith("@g.us");
  const ref = [
    String(id.fromMe),
    id.remote,
    id.id,
    ...(group && typeof message.author === "string" ? [message.author] : []),
  ];
  const part: InboundPart = {
    kind,
    source: { from: "platform", ref: ref.join("_") },
    type: mimetype?.split(";")[0]?.trim() ?? type,
    ...(typeof filename === "string" ? { name: filename } : {}),
    ...(typeof size === "number" ? { size } : {}),
    ...(typeof duration === "number" ? { duration } : {}),
  };
  return typeof caption === "string" && caption !== "" ? [part, plain(caption)] : [part];
}

function plain(text: string): InboundPart {
  return { kind: "text", text, format: "plain" };
}

function contact(name: string, vcard: string): InboundPart {
  const phone = /^TEL[^:]*:(.+)$/m.exec(vcard)?.[1]?.trim();
  const full = name === "" ? (/^FN:(.+)$/m.exec(vcard)?.[1]?.trim() ?? "") : name;
  return { kind: "contact", name: full, ...(phone === undefined ? {} : { phone }), ...(vcard === "" ? {} : { vcard }) };
}
