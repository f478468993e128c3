/**
 * The prompt of a turn within its token budget.
 *
 * From the most stable to the least, so that a server's prompt cache holds: instructions (the same for everybody), the
 * conversation's circumstances, the summary, history, the new messages. All that comes from people is in user items.
 */
import type { AgentInputItem } from "@openai/agents";
import type { HistoryItem, TurnInput } from "../../src/agent.ts";
import { clipBytes } from "./clip.ts";
import type { Readings } from "./media.ts";
import { plain, plainIn } from "./plain.ts";
import {
  clip,
  escapeImitations,
  renderMedia,
  renderMessage,
  renderNote,
  renderOperator,
  renderTold,
} from "./render.ts";

type Said = Pick<HistoryItem, "role" | "text" | "name">;

export interface Prompt {
  /** What was before: given to the model, never to the SDK's run, whose cost grows with its items. */
  readonly before: readonly AgentInputItem[];
  /** The new messages, in order. */
  readonly messages: readonly AgentInputItem[];
}

/** What a turn's runner found out before. */
export interface Known {
  readonly readings?: Readings;
  /** What is under way for this conversation. */
  readonly standing?: Readonly<Record<string, unknown>>;
}

/** What the framing of one item costs besides its text. */
const itemTokens = 4;
/** A new message of this length is given whole, however many there are. */
const shortTokens = 64;

/** An estimate: four bytes of UTF-8 a token, which is near for English and too much for most else. */
export function estimateTokens(text: string): number {
  return Math.ceil(Buffer.byteLength(text) / 4) + itemTokens;
}

/** @param now decides the date that the model is told; the time of day would defeat the prompt cache. */
export function promptOf(
  input: TurnInput,
  budget: number,
  now: number,
  { readings = new Map(), standing = {} }: Known = {},
): Prompt {
  const named = input.to.kind === "group";
  const messages = fitAll(
    input.messages.map((message) =>
      renderMessage(message, named, (part) => readings.get(part)?.shown ?? renderMedia(part)),
    ),
    (budget * 3) / 4,
  );
  const before: string[] = [contextOf(input, now)];
  if (input.summary !== undefined && input.summary !== "")
    before.push(fit(`[summary] ${escapeImitations(input.summary)}`, budget / 4));
  // Behind the history: it changes from turn to turn.
  const known =
    Object.keys(standing).length === 0 ? [] : [fit(`[tasks ${JSON.stringify(standing, plainIn)}]`, budget / 4)];
  const spent = [...before, ...known, ...messages].reduce((sum, text) => sum + estimateTokens(text), 0);
  const history = recent([...input.history, ...told(input)], budget - spent, budget);
  const items = [...before.map(userItem), ...history.map(historyItem), ...known.map(userItem)];
  return { before: items, messages: messages.map(userItem) };
}

/** What came with the new messages is part of the history: a message that brings one begins its conversation, mostly. */
function told({ messages }: TurnInput): readonly Said[] {
  return messages.flatMap(({ message }) => message.before ?? []);
}

/** Long messages are cut to equal shares where all together are too long; a short one never is. */
function fitAll(texts: readonly string[], tokens: number): readonly string[] {
  if (texts.reduce((sum, text) => sum + estimateTokens(text), 0) <= tokens) return texts;
  const share = Math.max(shortTokens, tokens / texts.length);
  return texts.map((text) => fit(text, share));
}

/**
 * The newest items that fit. What is left out is rounded up to tenths of the budget: the oldest item that is kept then
 * changes every few turns only, and with it the prefix that the server has cached.
 */
function recent(history: readonly Said[], room: number, budget: number): readonly Said[] {
  const costs = history.map((item) => estimateTokens(item.text) + (item.name === undefined ? 0 : itemTokens));
  const over = costs.reduce((sum, cost) => sum + cost, 0) - room;
  if (over <= 0) return history;
  const step = Math.ceil(budget / 10);
  let left = Math.ceil(over / step) * step;
  let from = 0;
  for (; from < history.length && left > 0; from += 1) left -= costs[from] ?? 0;
  return history.slice(from);
}

function contextOf(input: TurnInput, now: number): string {
  const { to, participant } = input;
  const person = to.kind === "direct" ? (participant.name ?? participant.handle) : undefined;
  const data = {
    channel: to.channel,
    chat: to.kind,
    ...(person === undefined ? {} : { person: clip(person, 80) }),
    ...(to.kind === "direct" && participant.locale !== undefined ? { locale: clip(participant.locale, 20) } : {}),
    ...(to.kind === "direct" && participant.timeZone !== undefined ? { timeZone: clip(participant.timeZone, 64) } : {}),
    date: new Date(now).toISOString().slice(0, 10),
  };
  return `[context] ${JSON.stringify(data, plainIn)}`;
}

function historyItem(item: Said): AgentInputItem {
  if (item.role === "agent") {
    return {
      type: "message",
      role: "assistant",
      status: "completed",
      content: [{ type: "output_text", text: plain(item.text) }],
    };
  }
  const text = escapeImitations(item.text);
  if (item.role === "operator") return userItem(renderOperator(item.name ?? "", text));
  if (item.role === "note") return userItem(item.name === undefined ? renderNote(text) : renderTold(item.name, text));
  return userItem(item.name === undefined ? text : `[from ${JSON.stringify(plain(clip(item.name, 80)))}]\n${text}`);
}

function userItem(text: string): AgentInputItem {
  return { type: "message", role: "user", content: text };
}

function fit(text: string, tokens: number): string {
  if (estimateTokens(text) <= tokens) return text;
  return `${clipBytes(text, Math.max(0, Math.floor(tokens) - 2 * itemTokens) * 4)}\n[cut]`;
}
