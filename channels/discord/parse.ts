/**
 * Dispatches of Discord's gateway as events. Pure.
 *
 * A thread and a forum's post are channels of their own to Discord, and so they are here: `chat` is the channel's id.
 *
 * Set aside without an event, because nobody who talks to the agent wrote them: messages of the bot itself and of its
 * application's webhooks, system messages, changes of a message that are no edits (a link's embed that was found), and every
 * kind of dispatch that is not named here. What other bots and webhooks write is an event, of a bot.
 *
 * @see https://discord.com/developers/docs/events/gateway-events
 */
import type { APIMessage, APIUser, GatewayMessageReactionAddDispatchData } from "discord.js";
import { InputError } from "../../src/errors.ts";
import { messageId, participantId, type AccountRef } from "../../src/ids.ts";
import type { Address, InboundEvent, Message as Normalized } from "../../src/message.ts";
import { partsOf, readable } from "./content.ts";
import { interacted, type Interaction } from "./interaction.ts";
import { addressOf, participantOf, platformMessageId } from "./names.ts";
import { isSnowflake, timeOf } from "./snowflake.ts";

/** `s`: its place in the session; null where it does not come from the gateway. */
export interface Dispatch {
  readonly t: string;
  readonly s: number | null;
  readonly d: unknown;
}

export interface ParseContext extends AccountRef {
  /** The bot's own user id. */
  readonly me: string;
  /** Roles that servers made for the bot: whoever mentions one means it. */
  readonly ownRoles: { has(role: string): boolean };
  /** The bot's application; empty while that is unknown. */
  readonly application: string;
  /** Names the gateway session: what has no id of its own gets one from its place there. */
  readonly session: string;
  /** Who wrote a message, where that is known and it was the agent's business: Discord does not say whose was deleted. */
  readonly authorOf: (channel: string, message: string) => string | undefined;
  readonly receivedAt: number;
}

type Written = APIMessage & {
  readonly guild_id?: string;
  readonly member?: { readonly nick?: string | null };
};

/** @throws InputError or TypeError for what Discord never sends. */
export function parse(dispatch: Dispatch, context: ParseContext): InboundEvent | undefined {
  switch (dispatch.t) {
    case "MESSAGE_CREATE":
    case "MESSAGE_UPDATE":
      return written(dispatch, dispatch.d as Written, context);
    case "MESSAGE_DELETE":
    case "MESSAGE_DELETE_BULK":
      return deleted(dispatch, dispatch.d as Deleted, context);
    case "MESSAGE_REACTION_ADD":
    case "MESSAGE_REACTION_REMOVE":
      return reacted(dispatch, dispatch.d as Reacted, context);
    case "INTERACTION_CREATE":
      return interacted(dispatch.d as Interaction, context);
    default:
      return undefined;
  }
}

/** Default messages, replies, and what people wrote with a command of another application's. */
const writtenTypes = new Set([0, 19]);

function written(dispatch: Dispatch, message: Written, context: ParseContext): InboundEvent | undefined {
  const { id, channel_id: channel, author } = message;
  const sentAt = timeOf(id);
  if (sentAt === undefined || typeof channel !== "string" || typeof author?.id !== "string")
    throw new InputError(`discord: a ${dispatch.t} has no id, channel or author`);
  const hook = message.webhook_id !== undefined;
  if (author.id === context.me || (hook && isOwn(message.application_id, context))) return undefined;
  if (!writtenTypes.has(message.type)) return undefined;
  const { text, named } = wordsOf(message, context);
  const parts = partsOf(message, text);
  if (parts.length === 0 && !named) return undefined;

  const kind = message.guild_id === undefined ? "direct" : "group";
  const target = platformMessageId(context, channel, id);
  const header = {
    v: 1 as const,
    address: addressOf(context, channel, kind),
    participant: participantOf(context, hook ? { ...author, bot: true } : author, message.member?.nick),
    receivedAt: context.receivedAt,
    raw: dispatch.d,
  };
  const content = { ...addressing(message, kind, text, named, context), parts, ...replyOf(message, context) };
  if (dispatch.t === "MESSAGE_CREATE") {
    return { ...header, kind: "message", id: target, sentAt, sequence: sentAt, message: content };
  }
  const edited = Date.parse(message.edited_timestamp ?? "");
  if (Number.isNaN(edited)) return undefined;
  const editId = messageId(context, channel, `m${id}`, `e${edited}`);
  return { ...header, kind: "edited", id: editId, target, sentAt: edited, sequence: edited, message: content };
}

/** Most applications have the id of their bot. */
function isOwn(application: string | undefined, context: ParseContext): boolean {
  return application !== undefined && (application === context.me || application === context.application);
}

/** The message's words without the mention that only says whom they are for, and whether there was one. */
function wordsOf(message: Written, { me, ownRoles }: ParseContext): { text: string; named: boolean } {
  const content = message.content ?? "";
  const [lead = "", user, role] = /^\s*<@(?:!?(\d+)|&(\d+))>[\s,:]*/.exec(content) ?? [];
  const leads = user === me || (role !== undefined && ownRoles.has(role));
  const named =
    leads ||
    (message.mentions ?? []).some(({ id }) => id === me) ||
    (message.mention_roles ?? []).some((one) => ownRoles.has(one));
  return { text: readable(leads ? content.slice(lead.length) : content, message.mentions ?? []).trim(), named };
}

/** Whom a message is for: in servers the bot where it is named or replied to. */
function addressing(
  message: Written,
  kind: Address["kind"],
  text: string,
  named: boolean,
  { me }: ParseContext,
): Pick<Normalized, "addressed" | "forAnother" | "command"> {
  const replies = message.message_reference?.type !== 1 && message.referenced_message?.author.id === me;
  const addressed = kind === "direct" || named || replies;
  const [, name, args] = /^\/([a-z][\w-]{0,31})(?:\s+([^]*))?$/i.exec(text) ?? [];
  if (!addressed) return { addressed, ...(isForAnother(message) ? { forAnother: true } : {}) };
  if (name === undefined) return { addressed };
  return { addressed, command: { name: name.toLowerCase(), args: args?.trim() ?? "" } };
}

/** It begins with the name of another bot. */
function isForAnother({ content, mentions }: Written): boolean {
  const [, first] = /^\s*<@!?(\d+)>/.exec(content ?? "") ?? [];
  return (mentions ?? []).some(({ id, bot }) => id === first && bot === true);
}

function replyOf(message: Written, context: ParseContext): Pick<Normalized, "replyTo"> {
  const { message_reference: reference, referenced_message: reply } = message;
  // A forward refers to what it forwards.
  if (reference?.message_id === undefined || reference.type === 1) return {};
  const text = reply?.content === undefined ? "" : readable(reply.content, reply.mentions);
  return {
    replyTo: {
      id: platformMessageId(context, reference.channel_id, reference.message_id),
      ...(text === "" ? {} : { text }),
      ...(reply?.author.id === context.me ? { own: true } : {}),
    },
  };
}

interface Deleted {
  readonly id?: string;
  readonly ids?: readonly string[];
  readonly channel_id: string;
  readonly guild_id?: string;
}

function deleted(dispatch: Dispatch, { id, ids, ...where }: Deleted, context: ParseContext): InboundEvent | undefined {
  const gone = ids ?? (id === undefined ? [] : [id]);
  const channel = where.channel_id;
  if (gone.length === 0 || !gone.every(isSnowflake) || typeof channel !== "string")
    throw new InputError(`discord: a ${dispatch.t} has no id or channel`);
  const targets = gone.filter((one) => context.authorOf(channel, one) !== undefined);
  const [first] = targets;
  const user = first === undefined ? undefined : context.authorOf(channel, first);
  if (first === undefined || user === undefined) return undefined;
  return {
    v: 1,
    kind: "deleted",
    id: messageId(context, channel, `m${first}`, `d${gone.length}`),
    address: addressOf(context, channel, where.guild_id === undefined ? "direct" : "group"),
    participant: { id: participantId(context, user), user },
    sequence: context.receivedAt,
    receivedAt: context.receivedAt,
    raw: dispatch.d,
    targets: targets.map((one) => platformMessageId(context, channel, one)),
  };
}

type Reacted = Omit<GatewayMessageReactionAddDispatchData, "member"> & {
  readonly member?: { readonly user?: APIUser; readonly nick?: string | null };
};

function reacted(dispatch: Dispatch, change: Reacted, context: ParseContext): InboundEvent | undefined {
  const { channel_id: channel, message_id: message, user_id: user, emoji, member } = change;
  if (typeof channel !== "string" || !isSnowflake(message) || typeof user !== "string")
    throw new InputError(`discord: a ${dispatch.t} has no channel, message or user`);
  const name = emoji.name ?? emoji.id;
  if (user === context.me || member?.user?.bot === true || name === null) return undefined;
  const added = dispatch.t === "MESSAGE_REACTION_ADD";
  return {
    v: 1,
    kind: "reacted",
    id: messageId(context, channel, `m${message}`, "r", context.session, String(dispatch.s)),
    address: addressOf(context, channel, change.guild_id === undefined ? "direct" : "group"),
    participant:
      member?.user === undefined
        ? { id: participantId(context, user), user }
        : participantOf(context, member.user, member.nick),
    sequence: context.receivedAt,
    receivedAt: context.receivedAt,
    raw: dispatch.d,
    target: platformMessageId(context, channel, message),
    added: added ? [name] : [],
    removed: added ? [] : [name],
  };
}
