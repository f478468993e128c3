/** The working copy of one step of the reducer: replaced values are new objects, so that what did not change is not written. */
import type { HistoryItem } from "./agent.ts";
import type { Effect, Step } from "./events.ts";
import type { AgentId, ConversationId, MessageId } from "./ids.ts";
import type { Address, Answer, InboundMessage, OutboundEvent } from "./message.ts";
import { addSeen } from "./seen.ts";
import { isQuiet, mostThreads, threadsOf, type AgentState, type Inbox, type Thread } from "./state.ts";

export interface Draft {
  readonly state: AgentState;
  readonly effects: Effect[];
  thread(conversation: ConversationId): Thread | undefined;
  /** The agent has been in this conversation. */
  knows(conversation: ConversationId): boolean;
  /** Where the conversation is new, or was put away. It becomes the most recent one. */
  open(to: Address): void;
  /** Changes fields of a thread; an undefined field is removed. */
  patch(conversation: ConversationId, fields: { [Key in keyof Thread]?: Thread[Key] | undefined }): void;
  inbox(fields: Partial<Inbox>): void;
  replaceInbox(inbox: Inbox): void;
  history(items: readonly HistoryItem[], summary: string | undefined): void;
  outbox(entries: readonly OutboundEvent[]): void;
  markSeen(id: MessageId, sentAt: number | undefined, now: number): void;
  /** Nothing more happens to these messages, by a rule that the journal names. */
  setAside(conversation: ConversationId, ids: readonly MessageId[], rule: string, at: number): void;
  /** Answers these messages, in the conversation's next place. */
  answer(agent: AgentId, conversation: ConversationId, of: readonly InboundMessage[], answer: Answer, at: number): void;
  /** Puts an entry into the outbox; its `seq` is given here. */
  put(entry: OutboundEvent): void;
  step(): Step;
}

export function createDraft(before: AgentState): Draft {
  let state = before;
  const effects: Effect[] = [];
  const seen = { put: new Set<string>(), remove: [] as string[] };

  /** Keeps the inbox small, however many conversations a person has. */
  function putAway(): ConversationId[] {
    const threads = threadsOf(state.inbox);
    const quiet = threads.filter(([, thread]) => isQuiet(thread)).slice(0, Math.max(threads.length - mostThreads, 0));
    if (quiet.length === 0) return [];
    const away = new Set(quiet.map(([conversation]) => conversation));
    const kept = quiet.map(([conversation, { to, seq, failed }]) => [
      conversation,
      { to, seq, ...(failed === undefined ? {} : { failed }) },
    ]);
    draft.inbox({
      away: true,
      threads: Object.fromEntries(threads.filter(([conversation]) => !away.has(conversation))),
    });
    state = { ...state, quiet: { ...state.quiet, ...Object.fromEntries(kept) } };
    return [...away];
  }

  const draft: Draft = {
    get state() {
      return state;
    },
    effects,
    thread: (conversation) => state.inbox.threads[conversation],
    knows: (conversation) => draft.thread(conversation) !== undefined || state.quiet[conversation] !== undefined,
    open(to) {
      const { conversation } = to;
      const { [conversation]: known, ...others } = state.inbox.threads;
      if (known !== undefined && Object.keys(others).length < mostThreads) return;
      const thread = known ?? { pending: [], ...(state.quiet[conversation] ?? { to, seq: 0 }) };
      draft.inbox({ threads: { ...others, [conversation]: thread } });
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
      state = { ...state, history: { v: 1, items, ...(summary === undefined ? {} : { summary }) } };
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
    setAside(conversation, ids, rule, at) {
      if (ids.length === 0) return;
      const entries = ids.map((id) => ({ id, conversation, rule, at }));
      draft.inbox({ aside: [...(state.inbox.aside ?? []), ...entries] });
    },
    answer(agent, conversation, of, answer, at) {
      const to = draft.thread(conversation)?.to;
      if (to === undefined) return;
      const locale = of.at(-1)?.participant.locale;
      const answers = of.map((message) => message.id);
      draft.put({ v: 1, agent, to, seq: 1, answers, ...(locale === undefined ? {} : { locale }), answer, at });
    },
    put(unnumbered) {
      const { conversation } = unnumbered.to;
      const entry = { ...unnumbered, seq: (draft.thread(conversation)?.seq ?? 0) + 1 };
      draft.patch(conversation, { seq: entry.seq });
      draft.outbox([...state.outbox.entries, entry]);
      effects.push({ kind: "deliver", entry });
    },
    step() {
      const quiet = putAway();
      return { state, effects, reply: "accepted", seen: { put: [...seen.put], remove: seen.remove }, quiet };
    },
  };
  return draft;
}
