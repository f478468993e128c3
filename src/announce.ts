/**
 * What a gateway tells those who subscribed to its webhooks: facts of its conversations, each under an id that is the same
 * whenever it is told again.
 */
import { createHash } from "node:crypto";
import type { ConversationId } from "./ids.ts";
import type { Address, InboundEvent, OutboundEvent } from "./message.ts";

export const announcedKinds = [
  "conversation.started",
  "message.answered",
  "message.delivered",
  "message.read",
  "delivery.failed",
  "human-review-required",
  "human-decision-made",
  "budget.warned",
  "budget.ended",
  "human-handoff-requested",
  "human-handoff-started",
  "human-handoff-ended",
] as const;
export type AnnouncedKind = (typeof announcedKinds)[number];

export interface Announcement {
  /** The platform takes an answer or it is given up: both have the same id, and the first that is told counts. */
  readonly id: string;
  readonly type: AnnouncedKind;
  readonly at: number;
  readonly of: Pick<Address, "tenant" | "channel" | "account">;
  readonly conversation: ConversationId;
  readonly data: Readonly<Record<string, unknown>>;
}

/**
 * Resolves once all who subscribed to them will get them, whatever becomes of this process. A fact is announced before it is
 * durable, or before the last trace is gone that it could be announced from.
 * @throws InfrastructureError where nothing can be kept now.
 */
export type Announce = (announcements: readonly Announcement[]) => Promise<void>;

/** The first thing that came from somebody in a conversation: known before the agent has it. */
export function started(event: InboundEvent): Announcement {
  const { id, user, name, handle } = event.participant;
  const participant = {
    id,
    user,
    ...(name === undefined ? {} : { name }),
    ...(handle === undefined ? {} : { handle }),
  };
  const what = `started:${event.address.conversation}`;
  return announcement(
    "conversation.started",
    event.address,
    event.receivedAt,
    { message: event.id, participant },
    what,
  );
}

/** Undefined for what the agent or the gateway said without having been asked. */
export function answered(entry: OutboundEvent): Announcement | undefined {
  if (entry.answers.length === 0) return undefined;
  const { parts, notice } = entry.answer;
  const text = parts.flatMap((part) => (part.kind === "text" ? [part.text] : [])).join("\n\n");
  const said = notice === undefined ? { text } : { text, notice };
  return announcement("message.answered", entry.to, entry.at, { ...outcomeOf(entry), ...said });
}

/** @param reason without message text. @param late the platform had taken it: it was announced as answered before. */
export function failed(entry: OutboundEvent, reason: string, at: number, late = false): Announcement {
  const fact = late ? "late" : undefined;
  return announcement("delivery.failed", entry.to, at, { ...outcomeOf(entry), reason }, fact);
}

/** The first message of an answer reached the person, or was read. */
export function reached(entry: OutboundEvent, kind: "delivered" | "read", at: number): Announcement {
  return announcement(`message.${kind}`, entry.to, at, outcomeOf(entry), kind);
}

interface WantedApproval {
  readonly id: string;
  readonly to: Address;
  readonly by: string;
  readonly calls: readonly unknown[];
  readonly until: number;
}

/** Calls of tools wait for the word of the person or of an operator, until a time. */
export function approvalWanted(of: WantedApproval, at: number): Announcement {
  const { id, to, by, calls, until } = of;
  const fact = { approval: id, by, calls, until: new Date(until).toISOString() };
  return announcement("human-review-required", to, at, fact, `wanted:${id}`);
}

/** `by`: an operator's name, "person", or "nobody" where the time was over. */
export function approvalDecided(
  id: string,
  to: Address,
  outcome: { readonly approved: boolean; readonly by: string },
  at: number,
): Announcement {
  return announcement("human-decision-made", to, at, { approval: id, ...outcome }, `decided:${id}`);
}

interface BudgetFact {
  /** Unique to whom it is for: tells nothing of who that is. */
  readonly account: string;
  readonly scope: string;
  readonly window: string;
  readonly period: string;
}

/** Most of a budget is used. @param to the conversation whose call came to that. */
export function budgetWarned({ account, ...fact }: BudgetFact, to: Address, at: number): Announcement {
  return announcement("budget.warned", to, at, fact, `warned:${account}:${fact.period}`);
}

/** A budget is used up: no call is made for it before its next day, or month. */
export function budgetEnded({ account, ...fact }: BudgetFact, to: Address, at: number): Announcement {
  return announcement("budget.ended", to, at, fact, `ended:${account}:${fact.period}`);
}

interface Handoff {
  readonly id: string;
  readonly to: Address;
}

/** The person or the agent asks for somebody of the operator's, who has until then to come. */
export function handoffRequested(of: Handoff & { readonly reason: string; readonly until: number }, at: number) {
  const { id, to, reason, until } = of;
  const fact = { handoff: id, reason, until: new Date(until).toISOString() };
  return announcement("human-handoff-requested", to, at, fact, `handoff-requested:${id}`);
}

/** The operator has it. `n`: the how manieth. */
export function handoffStarted({ id, to, by, n }: Handoff & { readonly by: string; readonly n: number }, at: number) {
  return announcement("human-handoff-started", to, at, { handoff: id, by, n }, `handoff-started:${id}:${n}`);
}

/** `by`: an operator's name, "person", or "nobody" where the time was over. */
export function handoffEnded({ id, to, by }: Handoff & { readonly by: string }, at: number) {
  return announcement("human-handoff-ended", to, at, { handoff: id, by }, `handoff-ended:${id}`);
}

function outcomeOf({ answers, requests, seq }: OutboundEvent) {
  return { messages: answers, ...(requests === undefined ? {} : { requests }), seq };
}

function announcement(
  type: AnnouncedKind,
  { tenant, channel, account, conversation, kind, chat, thread }: Address,
  at: number,
  more: { readonly seq?: number } & Readonly<Record<string, unknown>>,
  what = "outcome",
): Announcement {
  const fact = more.seq === undefined ? what : `${what}:${conversation}#${more.seq}`;
  return {
    id: `evt_${createHash("sha256").update(fact).digest("base64url").slice(0, 32)}`,
    type,
    at,
    of: { tenant, channel, account },
    conversation,
    data: { tenant, channel, account, conversation, kind, chat, ...(thread === undefined ? {} : { thread }), ...more },
  };
}
