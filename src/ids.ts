/**
 * Ids of the core: branded strings, minted by channels and opaque everywhere else.
 *
 * An id is its parts, each percent-encoded, joined by ":". A part that is longer than {@link longestPart} once encoded is
 * replaced by "~" and its SHA-256 in base64url, so that an id fits a key, a path or an actor id whatever a platform sends.
 */
import { createHash } from "node:crypto";

declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

/** A platform's conversation as one bot account sees it; a thread is a conversation of its own. */
export type ConversationId = Branded<"ConversationId">;
/** A person (or bot) as one channel account sees it. */
export type ParticipantId = Branded<"ParticipantId">;
/** A message, a press or an edit of one account; the same for every delivery of the same platform event. */
export type MessageId = Branded<"MessageId">;
/** The client agent of a person or of a group: the actor's id. */
export type AgentId = Branded<"AgentId">;
/** One turn of one agent; unique within the agent. */
export type TurnId = Branded<"TurnId">;

/** What every id of a channel account starts with. */
export interface AccountRef {
  readonly tenant: string;
  readonly channel: string;
  readonly account: string;
}

const longestPart = 120;

export function encodePart(raw: string): string {
  const encoded = encodeURIComponent(raw.toWellFormed()).replace(/^~/, "%7E");
  if (encoded.length <= longestPart) return encoded;
  return `~${createHash("sha256").update(raw.toWellFormed()).digest("base64url")}`;
}

function mint(account: AccountRef, parts: readonly string[]): string {
  return [account.tenant, account.channel, account.account, ...parts].map(encodePart).join(":");
}

/** @param chat the platform's own id of the chat; @param thread the platform's id of a thread or topic inside it. */
export function conversationId(account: AccountRef, chat: string, thread?: string): ConversationId {
  return mint(account, thread === undefined ? [chat] : [chat, thread]) as ConversationId;
}

/** @param user the platform's own id of the person. */
export function participantId(account: AccountRef, user: string): ParticipantId {
  return mint(account, [user]) as ParticipantId;
}

/** @param parts what makes the platform's event unique within the account: usually the chat and the message's id. */
export function messageId(account: AccountRef, ...parts: readonly string[]): MessageId {
  return mint(account, parts) as MessageId;
}

/** One agent per person for direct chats, one per conversation for groups. */
export function agentIdOf(kind: "direct" | "group", participant: ParticipantId, conversation: ConversationId): AgentId {
  return (kind === "direct" ? `person:${participant}` : `group:${conversation}`) as AgentId;
}

/** A short, stable digest of an id: 11 characters, for sets of ids that are kept for long. */
export function digestOf(id: string): string {
  return createHash("sha256").update(id).digest("base64url").slice(0, 11);
}

/** The tenant of an id that a channel minted, as it stands there; "" for any other text. */
export function tenantOf(id: string): string {
  return id.slice(0, Math.max(id.indexOf(":"), 0));
}

/** The parts behind the account of an id that a channel minted; undefined where one was too long to keep. */
export function partsOf(id: ConversationId | ParticipantId | MessageId): string[] | undefined {
  const parts = id.split(":").slice(3);
  return parts.some((part) => part.startsWith("~")) ? undefined : parts.map(decodeURIComponent);
}
