/** The working copy of one step of the reducer: replaced values are new objects, so that what did not change is not written. */
import type { AgentTraits, HistoryItem } from "./agent.ts";
import type { Effect, Step } from "./events.ts";
import type { AgentId, ConversationId, MessageId } from "./ids.ts";
import type { Via } from "./link-state.ts";
import {
  fromPeople,
  type Address,
  type Answer,
  type InboundMessage,
  type NoticeKey,
  type OutboundEvent,
} from "./message.ts";
import { insert, isAfter } from "./order.ts";
import { mostPast, pastKey, pastKeys, rowsOf, type PastRow } from "./past.ts";
import { addSeen } from "./seen.ts";
import {
  awayCount,
  awayKey,
  isQuiet,
  mediaKey,
  mostThreads,
  spilledKey,
  threadsOf,
  type AgentState,
  type History,
  type Inbox,
  type QuietThread,
  type Spilled,
  type Thread,
} from "./state.ts";

/** What the gateway says when something went wrong, or was only looked up. */
const passing: ReadonlySet<NoticeKey> = new Set<NoticeKey>([
  "failed",
  "timeout",
  "overloaded",
  "budgetDay",
  "budgetMonth",
  "unsaid",
  "help",
]);

/** Blobs that stand in the history; of more, the older half moves to a key of its own. */
const mostMedia = 256;

export interface Draft {
  readonly state: AgentState;
  readonly traits: AgentTraits;
  readonly effects: Effect[];
  thread(conversation: ConversationId): Thread | undefined;
  /** The agent has been in this conversation. */
  knows(conversation: ConversationId): boolean;
  /**
   * Where the conversation is new, or was put away. It becomes the most recent one. `given`: it comes by way of that agent, or
   * back from it, after that sequence, and what is new has whom that one knew there.
   */
  open(to: Address, given?: Pick<Via, "seq" | "choice" | "at"> & { readonly via?: AgentId }): void;
  /** Changes fields of a thread; an undefined field is removed. */
  patch(conversation: ConversationId, fields: { [Key in keyof Thread]?: Thread[Key] | undefined }): void;
  inbox(fields: Partial<Inbox>): void;
  replaceInbox(inbox: Inbox): void;
  history(items: readonly HistoryItem[], summary: string | undefined): void;
  /** Blobs that came or go with messages. */
  media(ids: readonly string[]): void;
  /** These leave the history for where `past.ts` keeps them. */
  archive(items: readonly HistoryItem[]): void;
  /** Another past becomes a part of this one, of which all rows are loaded: by its time, so that of both the oldest go first. */
  mergePast(items: readonly HistoryItem[]): void;
  /** Nothing is left of the conversation: what was noted stays. */
  reset(): void;
  /** Changes what is known of people beside the conversation. */
  notes(fields: Pick<History, "notes" | "noted"> & { readonly notesOff?: boolean }): void;
  /** Nothing is left of the history, nor of notes; only that none are wanted. */
  forget(): void;
  /**
   * Nothing is left of what was said in answers, nor of who was to give them: those that are not sent yet become that word of the
   * gateway.
   */
  silence(notice: NoticeKey): void;
  outbox(entries: readonly OutboundEvent[]): void;
  markSeen(id: MessageId, sentAt: number | undefined, now: number): void;
  /** Puts a message behind all that wait, but for the last ones where they were sent after it. */
  spill(conversation: ConversationId, message: InboundMessage): void;
  /** The loaded messages behind those of the inbox, in their order, each with its key. */
  spilled(conversation: ConversationId): readonly (readonly [string, InboundMessage])[];
  /** A message behind those of the inbox as it is now; undefined: it is gone. */
  respill(key: string, message: InboundMessage | undefined): void;
  /** Nothing of what waited behind those of the inbox is left there. */
  drain(conversation: ConversationId): void;
  /** Moves the first of them into the inbox, where there is room for so many. */
  refill(conversation: ConversationId, room: number): void;
  /** Changes a loaded row of the past. */
  repast(key: string, row: PastRow): void;
  /** Writes a row beside the state with this step; undefined removes it. */
  row(key: string, value: unknown): void;
  /** Nothing more happens to these messages, by a rule that the journal names. */
  setAside(conversation: ConversationId, ids: readonly MessageId[], rule: string, at: number): void;
  /** Answers these messages, in the conversation's next place. */
  answer(
    agent: AgentId,
    conversation: ConversationId,
    of: readonly InboundMessage[],
    answer: Answer,
    at: number,
    about?: Pick<OutboundEvent, "asks" | "decides" | "by" | "made">,
  ): void;
  /** Says something that answers no message, in the conversation's next place. */
  say(agent: AgentId, conversation: ConversationId, answer: Answer, locale: string | undefined, at: number): void;
  /** Puts an entry into the outbox; its `seq` is given here. */
  put(entry: OutboundEvent): void;
  step(): Step;
}

export function createDraft(before: AgentState, traits: AgentTraits): Draft {
  let state = before;
  const effects: Effect[] = [];
  const seen = { put: new Set<string>(), remove: [] as string[] };
  const spilled = { put: new Set<string>(), remove: new Set<string>() };
  const rows = new Map<string, unknown>();
  const quieted = new Set<ConversationId>();

  /** The keys behind those of the inbox, loaded or not. */
  function keysBehind(conversation: ConversationId): string[] {
    const { first = 0, next = 0 } = draft.thread(conversation)?.spilled ?? {};
    return Array.from({ length: next - first }, (_, at) => spilledKey(conversation, first + at));
  }

  function putBehind(key: string, value: Spilled): void {
    state = { ...state, spilled: { ...state.spilled, [key]: value } };
    spilled.put.add(key);
  }

  function removeBehind(keys: readonly string[]): void {
    const rest = Object.entries(state.spilled).filter(([key]) => !keys.includes(key));
    state = { ...state, spilled: Object.fromEntries(rest) };
    for (const key of keys) {
      // What never was written need not be removed, but may have been by an earlier step.
      spilled.put.delete(key);
      spilled.remove.add(key);
    }
  }

  /** Keeps the inbox small, however many conversations a person has. */
  function putAway(): ConversationId[] {
    const threads = threadsOf(state.inbox);
    const quiet = threads
      .filter(([, of]) => isQuiet(of) && [of.via, of.asks, of.held].every((field) => field === undefined))
      .slice(0, Math.max(threads.length - mostThreads, 0));
    if (quiet.length === 0) return [];
    const away = new Set(quiet.map(([conversation]) => conversation));
    let count = awayCount(state.inbox);
    const kept = quiet.map(([conversation, thread]) => {
      const { to, seq, failed, choices, locale, unheard, told, listed, choice, at } = thread;
      if (listed === undefined) rows.set(awayKey(count++), conversation);
      const heard = { ...(locale && { locale }), ...(unheard && { unheard }), ...(told && { told }) };
      const agents = { ...(choice && { choice }), ...(at !== undefined && { at }) };
      const rest = { ...(failed && { failed }), ...(choices && { choices }), ...heard, ...agents };
      return [conversation, { to, seq, listed: true, ...rest }];
    });
    draft.inbox({
      away: count,
      threads: Object.fromEntries(threads.filter(([conversation]) => !away.has(conversation))),
    });
    state = { ...state, quiet: { ...state.quiet, ...Object.fromEntries(kept) } };
    return [...away];
  }

  const draft: Draft = {
    get state() {
      return state;
    },
    traits,
    effects,
    thread: (conversation) => state.inbox.threads[conversation],
    knows: (conversation) => draft.thread(conversation) !== undefined || state.quiet[conversation] !== undefined,
    open(to, given) {
      const { conversation } = to;
      const { [conversation]: known, ...others } = state.inbox.threads;
      const asGiven = given === undefined || (known !== undefined && known.via === given.via && known.seq >= given.seq);
      if (known !== undefined && asGiven && Object.keys(others).length < mostThreads) return;
      const { choice, at } = given ?? {};
      const fresh = { to, seq: 0, ...(choice && { choice }), ...(at !== undefined && { at }) };
      const thread = known ?? { pending: [], ...(state.quiet[conversation] ?? fresh) };
      draft.inbox({ threads: { ...others, [conversation]: thread } });
      if (!asGiven) draft.patch(conversation, { via: given.via, seq: Math.max(thread.seq, given.seq) });
    },
    patch(conversation, fields) {
      const old = draft.thread(conversation);
      if (old === undefined) return;
      const thread: Record<string, unknown> = { ...old, ...fields };
      for (const field in fields) if (thread[field] === undefined) delete thread[field];
      draft.inbox({ threads: { ...state.inbox.threads, [conversation]: thread as unknown as Thread } });
    },
    inbox(fields) {
      state = { ...state, inbox: { ...state.inbox, ...fields } };
    },
    replaceInbox(inbox) {
      state = { ...state, inbox };
    },
    history(items, summary) {
      const { summary: _before, ...rest } = state.history;
      state = { ...state, history: { ...rest, items, ...(summary === undefined ? {} : { summary }) } };
    },
    media(ids) {
      const fresh = ids.filter((id) => state.history.media?.includes(id) !== true);
      if (fresh.length === 0) return;
      let media = [...(state.history.media ?? []), ...fresh];
      let older = state.history.olderMedia ?? 0;
      for (; media.length > mostMedia; media = media.slice(mostMedia / 2))
        rows.set(mediaKey(older++), media.slice(0, mostMedia / 2));
      const more = older === 0 ? {} : { olderMedia: older };
      state = { ...state, history: { ...state.history, media, ...more } };
    },
    archive(items) {
      let { first, next } = state.history.past ?? { first: 0, next: 0 };
      for (const row of rowsOf(items)) rows.set(pastKey(next++), row);
      for (; next - first > mostPast; first++) rows.set(pastKey(first), undefined);
      if (items.length > 0) state = { ...state, history: { ...state.history, past: { first, next } } };
    },
    mergePast(items) {
      const { history, past } = state;
      const keys = pastKeys(history.past);
      const { next = 0 } = history.past ?? {};
      for (const key of keys) rows.set(key, undefined);
      state = { ...state, past: {}, history: { ...history, past: { first: next, next } } };
      const own = keys.flatMap((key) => past[key]?.items ?? []);
      draft.archive([...own, ...items].toSorted((one, other) => one.at - other.at));
    },
    repast(key, row) {
      rows.set(key, row);
      state = { ...state, past: { ...state.past, [key]: row } };
    },
    reset() {
      for (const key of pastKeys(state.history.past)) rows.set(key, undefined);
      const { past: _past, summary: _summary, ...rest } = state.history;
      state = { ...state, past: {}, history: { ...rest, items: [] } };
    },
    notes({ notesOff, ...fields }) {
      const { notesOff: before, ...rest } = state.history;
      const off = (notesOff ?? before === true) ? { notesOff: true as const } : {};
      state = { ...state, history: { ...rest, ...fields, ...off } };
    },
    forget() {
      const older = Array.from({ length: state.history.olderMedia ?? 0 }, (_, n) => mediaKey(n));
      for (const key of [...older, ...pastKeys(state.history.past)]) rows.set(key, undefined);
      const off = state.history.notesOff === true ? { notesOff: true as const } : {};
      state = { ...state, past: {}, history: { v: 1, items: [], ...off } };
    },
    silence(notice) {
      const entries = state.outbox.entries.map((entry) =>
        entry.answer.notice === undefined ? { ...entry, answer: { parts: [], notice } } : entry,
      );
      draft.outbox(entries);
      for (const [conversation] of threadsOf(state.inbox))
        draft.patch(conversation, { choices: undefined, choice: undefined, at: undefined });
      for (const [conversation, thread] of Object.entries(state.quiet) as [ConversationId, QuietThread | undefined][]) {
        if (thread === undefined) continue;
        const { choices, choice, at, ...rest } = thread;
        if ([choices, choice, at].every((field) => field === undefined)) continue;
        state = { ...state, quiet: { ...state.quiet, [conversation]: rest } };
        quieted.add(conversation);
      }
    },
    outbox(entries) {
      state = { ...state, outbox: { v: 1, entries } };
    },
    markSeen(id, sentAt, now) {
      const { index, days, put, remove } = addSeen(state.inbox.seen, state.seen, { id, sentAt }, now);
      draft.inbox({ seen: index });
      state = { ...state, seen: days };
      for (const key of put) seen.put.add(key);
      seen.remove.push(...remove);
    },
    spill(conversation, message) {
      const { first, next } = draft.thread(conversation)?.spilled ?? { first: 0, next: 0 };
      let at = next;
      for (; at > first; at--) {
        const before = state.spilled[spilledKey(conversation, at - 1)];
        if (before?.message === undefined || !isAfter(before.message, message)) break;
        putBehind(spilledKey(conversation, at), before);
      }
      putBehind(spilledKey(conversation, at), { message });
      draft.patch(conversation, { spilled: { first, next: next + 1 } });
    },
    spilled: (conversation) =>
      keysBehind(conversation).flatMap((key) => {
        const message = state.spilled[key]?.message;
        return message === undefined ? [] : [[key, message] as const];
      }),
    respill: (key, message) => putBehind(key, message === undefined ? {} : { message }),
    drain(conversation) {
      removeBehind(keysBehind(conversation));
      draft.patch(conversation, { spilled: undefined });
    },
    refill(conversation, room) {
      const thread = draft.thread(conversation);
      if (thread?.spilled === undefined) return;
      let { first } = thread.spilled;
      let { pending } = thread;
      const moved: string[] = [];
      for (; first < thread.spilled.next && pending.length < room; first++) {
        const key = spilledKey(conversation, first);
        const row = state.spilled[key];
        if (row === undefined) break;
        if (row.message !== undefined) pending = insert(pending, row.message);
        moved.push(key);
      }
      if (moved.length === 0) return;
      removeBehind(moved);
      const rest = first < thread.spilled.next ? { ...thread.spilled, first } : undefined;
      draft.patch(conversation, { pending, spilled: rest });
    },
    row: (key, value) => void rows.set(key, value),
    setAside(conversation, ids, rule, at) {
      if (ids.length === 0) return;
      const entries = ids.map((id) => ({ id, conversation, rule, at }));
      draft.inbox({ aside: [...(state.inbox.aside ?? []), ...entries] });
    },
    answer(agent, conversation, of, answer, at, about = {}) {
      const to = draft.thread(conversation)?.to;
      if (to === undefined) return;
      const people = fromPeople(of);
      const { locale } = (people.at(-1) ?? of.at(-1))?.participant ?? {};
      const answers = people.map((message) => message.id);
      const requests = of.filter((message) => !people.includes(message)).map((message) => message.id);
      const more = { ...(requests.length > 0 && { requests }), ...(locale !== undefined && { locale }), ...about };
      draft.put({ v: 1, agent, to, seq: 1, answers, ...more, answer, at });
    },
    say(agent, conversation, answer, locale, at) {
      const to = draft.thread(conversation)?.to;
      const language = locale === undefined ? {} : { locale };
      if (to !== undefined) draft.put({ v: 1, agent, to, seq: 1, answers: [], ...language, answer, at });
    },
    put(unnumbered) {
      const { conversation } = unnumbered.to;
      const entry = { ...unnumbered, seq: (draft.thread(conversation)?.seq ?? 0) + 1 };
      // What was offered before is not the latest any more, unless the gateway only said that something went wrong.
      const { notice } = entry.answer;
      const stays = notice !== undefined && passing.has(notice);
      draft.patch(conversation, { seq: entry.seq, ...(stays ? {} : { choices: undefined }) });
      draft.outbox([...state.outbox.entries, entry]);
      effects.push({ kind: "deliver", entry });
    },
    step() {
      const quiet = [...new Set([...quieted, ...putAway()])];
      return {
        state,
        effects,
        reply: "accepted",
        seen: { put: [...seen.put], remove: seen.remove },
        quiet,
        spilled: { put: [...spilled.put], remove: [...spilled.remove] },
        rows,
      };
    },
  };
  return draft;
}
