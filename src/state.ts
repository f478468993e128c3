/**
 * What a client agent keeps: an inbox that every message rewrites, and beside it the history, the outbox and the seen ids,
 * each under a key of its own that is written only when it changes.
 */
import { z } from "zod";
import type { HistoryItem } from "./agent.ts";
import { openAsk, type OpenAsk } from "./ask-state.ts";
import { choices, type Choices } from "./choices.ts";
import type { AgentId, ConversationId, MessageId, TurnId } from "./ids.ts";
import { question, type Question } from "./question-state.ts";
import { storedLinks, type Forward, type Joiner, type Leaving } from "./link-state.ts";
import {
  address,
  inboundEvent,
  outboundEvent,
  type Address,
  type InboundMessage,
  type OutboundEvent,
} from "./message.ts";
import type { Place } from "./order.ts";
import type { SetAside } from "./ports.ts";
import type { SeenDays, SeenIndex } from "./seen.ts";
import { held, type Held } from "./takeover-state.ts";

/** A turn that runs, or ran when its process died. `owner` is the instance that started this attempt. */
export interface ActiveTurn {
  readonly id: TurnId;
  readonly attempt: number;
  readonly owner: string;
  /** How many attempts fell silent. */
  readonly deaths?: number;
  /**
   * The messages that this attempt began with: the next attempt has them too, since a side effect is known by its turn. Absent
   * where it serves a command.
   */
  readonly began?: readonly MessageId[];
  /** It serves this command of the gateway's own, and nothing else. What the person does meanwhile does not touch it. */
  readonly command?: MessageId;
}

/** The owner of a turn whose runner has said that it stops. */
export const nobody = "";

/** A turn that is over for good, and gave no answer. */
export interface StoppedTurn {
  readonly agent: AgentId;
  readonly conversation: ConversationId;
  readonly turn: TurnId;
}

export interface Gap {
  readonly missing: MessageId;
  /** What waited when it was noticed: what a turn may still take. */
  readonly before: readonly MessageId[];
  /** Those before it that had not come either, the latest first. */
  readonly earlier?: readonly MessageId[];
}

/** One conversation of the agent. */
export interface Thread {
  readonly to: Address;
  /** Messages without an answer, in the channel's order; commands among them wait for their place too. */
  readonly pending: readonly InboundMessage[];
  readonly turn?: ActiveTurn;
  /** More messages wait behind these, under keys of their own: the numbers from `first` up to `next - 1`. */
  readonly spilled?: { readonly first: number; readonly next: number };
  /** The last sequence given to an outbox entry. */
  readonly seq: number;
  /** Messages that were sent before ones that came, and have not come yet: no turn starts until they do, or the wait is over. */
  readonly gaps?: readonly Gap[];
  /** Edits of messages that the agent has not seen: where none comes, the edit is taken for the message. */
  readonly early?: readonly Extract<z.infer<typeof inboundEvent>, { kind: "edited" }>[];
  /** The latest /stop or /reset: what was sent before it is set aside by its rule, however late it comes. */
  readonly stop?: Place & { readonly rule: "stopped" | "reset" };
  /** Sequences whose failure is already told, so that a second receipt says nothing. */
  readonly failed?: readonly number[];
  /** What the latest answer offers by number. */
  readonly choices?: Choices;
  /** Calls of tools that wait for somebody's word. */
  readonly asks?: readonly OpenAsk[];
  /** What tools of the running turn ask the person. */
  readonly questions?: readonly Question[];
  /** Of the person who spoke last, where the platform tells it. */
  readonly locale?: string;
  /** A person of the operator's has it, or is asked for: no turn of the agent starts. */
  readonly held?: Held;
  /** Its messages come by way of this agent. */
  readonly via?: AgentId;
  /** It was put away before, and stands under an {@link awayKey}. */
  readonly listed?: true;
  /** The gateway has spoken for itself here, and nobody was heard yet. */
  readonly unheard?: true;
  /** Of what ends a period and is said once in it, such as a budget: the latest period in which it was. */
  readonly told?: string;
}

/** The conversations in the inbox beyond this number that nothing waits in are put away, the longest quiet first. */
export const mostThreads = 32;

/** A conversation that is put away: what has to survive until somebody writes there again. */
export type QuietThread = Pick<Thread, "to" | "seq" | "failed" | "choices" | "locale" | "unheard" | "told" | "listed">;

/** The key under which a conversation is put away. */
export function quietKey(conversation: ConversationId): string {
  return `thread:${conversation}`;
}

/** Under these stand the conversations that were ever put away, each once, by a number from 0 on. */
export function awayKey(n: number): string {
  return `away:${n}`;
}

/** Under these stand the blobs that the history has no place for, many at a time, by a number from 0 on. */
export function mediaKey(n: number): string {
  return `media:${n}`;
}

/** Nothing waits in it and nothing runs. */
export function isQuiet({ pending, spilled, turn, gaps, early }: Thread): boolean {
  return [spilled, turn, gaps, early].every((field) => field === undefined) && pending.length === 0;
}

/** A message that waits behind those of the inbox; empty once the person deleted it. */
export interface Spilled {
  readonly message?: InboundMessage;
}

export function spilledKey(conversation: ConversationId, n: number): string {
  return `waiting:${conversation}:${n}`;
}

export interface Inbox {
  readonly v: 1;
  readonly threads: Readonly<Record<ConversationId, Thread>>;
  /** So many conversations were put away under keys of their own; true in a state of before they were counted. */
  readonly away?: true | number;
  /** Turns started so far: the next turn's number. */
  readonly turns: number;
  readonly seen: SeenIndex;
  /** Set aside with this state, and owed to the journal until it is known to have them. */
  readonly aside?: readonly SetAside[];
  /** Called off with this state, and owed to those who work beside turns until they are known to know it. */
  readonly stopped?: readonly StoppedTurn[];
  /** Absent, as the two below, in an agent without links. */
  readonly forward?: Forward;
  readonly joiners?: Readonly<Record<AgentId, Joiner>>;
  readonly leaving?: readonly Leaving[];
}

export interface History {
  readonly v: 1;
  readonly summary?: string;
  readonly items: readonly HistoryItem[];
  /** The latest blobs that messages brought and answers carried: what /forget deletes. */
  readonly media?: readonly string[];
  /** Older ones stand under so many keys. */
  readonly olderMedia?: number;
}

export interface Outbox {
  readonly v: 1;
  readonly entries: readonly OutboundEvent[];
}

export interface AgentState {
  readonly inbox: Inbox;
  readonly history: History;
  readonly outbox: Outbox;
  /** The loaded days only; `inbox.seen` says which exist. */
  readonly seen: SeenDays;
  /** Of the conversations that are put away, the loaded ones: `undefined` where there is none. */
  readonly quiet: Readonly<Record<ConversationId, QuietThread | undefined>>;
  /** The loaded messages that wait behind those of the inbox, by their key. */
  readonly spilled: Readonly<Record<string, Spilled>>;
}

const turn = z.object({
  id: z.string(),
  attempt: z.number(),
  owner: z.string(),
  deaths: z.number().optional(),
  began: z.array(z.string()).optional(),
  command: z.string().optional(),
});

const thread = z.object({
  to: address,
  pending: z.array(inboundEvent),
  spilled: z.object({ first: z.number(), next: z.number() }).optional(),
  turn: turn.optional(),
  seq: z.number(),
  gaps: z
    .array(
      z.object({
        missing: z.string(),
        before: z.array(z.string()).default([]),
        earlier: z.array(z.string()).optional(),
      }),
    )
    .optional(),
  early: z.array(inboundEvent).optional(),
  stop: z
    .object({
      rule: z.enum(["stopped", "reset"]),
      sequence: z.number().optional(),
      arrival: z.object({ at: z.string(), n: z.number() }).optional(),
    })
    .optional(),
  failed: z.array(z.number()).optional(),
  choices: choices.optional(),
  asks: z.array(openAsk).optional(),
  questions: z.array(question).optional(),
  locale: z.string().optional(),
  held: held.optional(),
  via: z.string().optional(),
  listed: z.literal(true).optional(),
  unheard: z.literal(true).optional(),
  told: z.string().optional(),
});

const stored = {
  inbox: z.object({
    v: z.literal(1),
    threads: z.record(z.string(), thread),
    away: z.union([z.literal(true), z.number()]).optional(),
    turns: z.number(),
    seen: z.record(z.string(), z.object({ chunks: z.number(), open: z.array(z.string()) })),
    aside: z.array(z.object({ id: z.string(), conversation: z.string(), rule: z.string(), at: z.number() })).optional(),
    stopped: z.array(z.object({ agent: z.string(), conversation: z.string(), turn: z.string() })).optional(),
    ...storedLinks,
  }),
  history: z.object({
    v: z.literal(1),
    summary: z.string().optional(),
    items: z.array(
      z.object({
        role: z.enum(["user", "agent", "note", "operator"]),
        text: z.string(),
        at: z.number(),
        turn: z.string(),
        message: z.string().optional(),
        name: z.string().optional(),
        outside: z.literal(true).optional(),
        read: z.array(z.object({ part: z.number(), text: z.string() })).optional(),
      }),
    ),
    media: z.array(z.string()).optional(),
    olderMedia: z.number().optional(),
  }),
  outbox: z.object({ v: z.literal(1), entries: z.array(outboundEvent) }),
};
const spilledMessage = z.object({ message: inboundEvent.optional() });
const quietThread = thread.pick({
  to: true,
  seq: true,
  failed: true,
  choices: true,
  locale: true,
  unheard: true,
  told: true,
  listed: true,
});

export const stateKeys = ["inbox", "history", "outbox"] as const;

/** Reads what is stored; an agent without any state is a new one. @throws ZodError for a row that no version wrote. */
export function readState(rows: ReadonlyMap<string, unknown>): AgentState {
  const row = <Key extends keyof typeof stored>(key: Key): unknown =>
    rows.has(key) ? stored[key].parse(rows.get(key)) : undefined;
  return {
    inbox: (row("inbox") as Inbox | undefined) ?? { v: 1, threads: {}, turns: 0, seen: {} },
    history: (row("history") as History | undefined) ?? { v: 1, items: [] },
    outbox: (row("outbox") as Outbox | undefined) ?? { v: 1, entries: [] },
    seen: {},
    quiet: {},
    spilled: {},
  };
}

/** @throws ZodError for a row that no version wrote. */
export function readSpilled(row: unknown): Spilled {
  return spilledMessage.parse(row) as Spilled;
}

/** @throws ZodError for a row that no version wrote. */
export function readQuiet(row: unknown): QuietThread | undefined {
  return row === undefined ? undefined : (quietThread.parse(row) as QuietThread);
}

/** How many conversations stand under an {@link awayKey}. */
export function awayCount({ away = 0 }: Inbox): number {
  return away === true ? 0 : away;
}

export function threadsOf(inbox: Inbox): [ConversationId, Thread][] {
  return Object.entries(inbox.threads) as [ConversationId, Thread][];
}

/** Something is still owed: the watchdog must be armed. */
export function isBusy(state: AgentState): boolean {
  return (
    state.outbox.entries.length > 0 ||
    state.inbox.aside !== undefined ||
    state.inbox.stopped !== undefined ||
    state.inbox.leaving !== undefined ||
    threadsOf(state.inbox).some(([, of]) => isOwed(of))
  );
}

/** What waits for an operator to let go is nothing that a watchdog could further. */
function isOwed(of: Thread): boolean {
  const { gaps, ...rest } = of;
  const rests = of.held !== undefined && [of.turn, gaps, of.early].every((field) => field === undefined);
  return !rests && !isQuiet(rest);
}
