/** A task's messages as the core's events. Pure. */
import { createHash } from "node:crypto";
import { conversationId, messageId, participantId, partsOf, type AccountRef, type MessageId } from "../../src/ids.ts";
import type { Address, InboundMessage, InboundPart } from "../../src/message.ts";
import { taskCaller, type TaskCaller, type TaskMessage, type TaskPart, type TaskRun } from "../../src/skilled.ts";
import type { Choice } from "./choices.ts";

/** What a conversation is: one context of one caller with one agent. */
export interface Place {
  readonly agent: string;
  readonly caller: TaskCaller;
  readonly context: string;
}

const digest = (text: string) => createHash("sha256").update(text).digest("base64url").slice(0, 22);

export function chatOf({ agent, caller, context }: Place): string {
  return JSON.stringify([agent, caller.tenant, caller.id, context]);
}

/** Undefined for what no {@link chatOf} made. */
export function placeOf(chat: string): Place | undefined {
  try {
    const [agent, tenant, id, context] = JSON.parse(chat) as string[];
    if (agent === undefined || context === undefined) return undefined;
    return { agent, caller: taskCaller.parse({ tenant, id }), context };
  } catch {
    return undefined;
  }
}

export function addressOf(account: AccountRef, place: Place): Address {
  const { tenant, channel, account: own } = account;
  const chat = chatOf(place);
  const conversation = conversationId(account, chat);
  return { tenant, channel, account: own, conversation, kind: "direct", chat, agent: place.agent };
}

/** What the last thing of a task is that an answer can be to. */
export const markOf = (message: Pick<TaskMessage, "id">): string => digest(message.id);

/** The task, and the {@link markOf} of the message; undefined for another's. */
export function taskOf(answered: string): { readonly task: string; readonly mark: string } | undefined {
  const [task, mark] = partsOf(answered as MessageId) ?? [];
  return task === undefined || mark === undefined ? undefined : { task, mark };
}

/**
 * Each context is a person of its own to the core, so that what one caller says for many people stays apart.
 * @param chosen the choice that this message is.
 */
export function eventOf(
  account: AccountRef,
  place: Place,
  run: Pick<TaskRun, "task" | "locale" | "chain">,
  message: TaskMessage,
  chosen: Choice | undefined,
  at: number,
): InboundMessage {
  const { task, locale, chain } = run;
  const parts: InboundPart[] =
    chosen === undefined ? message.parts.map(partOf) : [{ kind: "press", button: chosen.id, label: chosen.label }];
  return {
    v: 1,
    kind: "message",
    id: messageId(account, task, markOf(message)),
    ...personOf(account, place, locale),
    receivedAt: at,
    raw: { task, message: message.id, context: place.context },
    message: { parts, addressed: true, ...(chain !== undefined && { chain: [...chain] }) },
  };
}

export function stopOf(account: AccountRef, place: Place, task: string, at: number): InboundMessage {
  return {
    v: 1,
    kind: "message",
    id: messageId(account, task, "stop"),
    ...personOf(account, place, undefined),
    receivedAt: at,
    raw: { task },
    message: { parts: [], addressed: true, command: { name: "stop", args: "" } },
  };
}

function personOf(account: AccountRef, place: Place, locale: string | undefined) {
  const participant = participantId(account, chatOf(place));
  return {
    address: addressOf(account, place),
    participant: { id: participant, user: place.caller.id, ...(locale !== undefined && { locale }) },
  };
}

function partOf(part: TaskPart): InboundPart {
  if (part.kind === "text") return { kind: "text", text: part.text, format: "plain" };
  if (part.kind === "data") return { kind: "text", text: JSON.stringify(part.data), format: "plain" };
  const { type, name, blob, size } = part;
  const [family] = type.split("/");
  const kind = family === "image" || family === "audio" || family === "video" ? family : "file";
  const source = { from: "blob", id: blob } as const;
  return { kind, type, source, ...(name !== undefined && { name }), ...(size !== undefined && { size }) };
}
