/** How Discord's ids become the core's. */
import type { APIUser } from "discord.js";
import { conversationId, messageId, participantId, partsOf, type AccountRef, type MessageId } from "../../src/ids.ts";
import type { Address, Participant } from "../../src/message.ts";

/** The id of a message of the platform: what `target`, `replyTo` and `of` name. */
export function platformMessageId(account: AccountRef, channel: string, message: string): MessageId {
  return messageId(account, channel, `m${message}`);
}

export function addressOf(account: AccountRef, channel: string, kind: Address["kind"]): Address {
  const { tenant, channel: name, account: own } = account;
  const conversation = conversationId(account, channel);
  return { tenant, channel: name, account: own, conversation, kind, chat: channel };
}

export function participantOf(account: AccountRef, user: APIUser, nick?: string | null): Participant {
  const name = nick ?? user.global_name ?? user.username;
  const bot = user.bot === true ? { bot: true } : {};
  return { id: participantId(account, user.id), user: user.id, name, handle: user.username, ...bot };
}

/** An interaction's answers name it; it is no message that could be replied to. */
export function interactionMessageId(account: AccountRef, channel: string, interaction: string): MessageId {
  return messageId(account, channel, `i${interaction}`);
}

/** What one of our message ids stands for, in this channel; undefined for those of other channels and of edits. */
export function namedBy(
  id: string,
  channel: string,
): { readonly kind: "message" | "interaction"; readonly id: string } | undefined {
  const [where, name = "", ...more] = partsOf(id as MessageId) ?? [];
  const [, letter, number] = /^([im])(\d+)$/.exec(name) ?? [];
  if (where !== channel || more.length > 0 || number === undefined) return undefined;
  return { kind: letter === "i" ? "interaction" : "message", id: number };
}

/** An account's own part of the records. */
export function recordKey(account: AccountRef, ...parts: readonly string[]): string {
  return messageId(account, ...parts);
}
