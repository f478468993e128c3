import type { Connection } from "./events.ts";
import type { Unsent } from "./outbox.ts";
import type { History, Message, ServerEvent, Session, Thumb } from "./wire.ts";

/** The answer that is being written. It stands below the row `anchor`, where its final message will stand. */
export type Draft = {
  readonly turn: string;
  readonly text: string;
  readonly anchor: string | undefined;
  readonly at: string;
  /** False once the turn has ended without a final message, because it was stopped. */
  readonly live: boolean;
};

export type Problem = { readonly key: number; readonly text: string };

export type State = {
  readonly phase: "loading" | "ready" | "failed";
  /** Why the first load failed, in words for the person. */
  readonly failure?: string;
  readonly session?: Session;
  readonly messages: readonly Message[];
  readonly unsent: readonly Unsent[];
  readonly draft?: Draft;
  readonly typing: boolean;
  readonly running: boolean;
  readonly stopping: boolean;
  readonly more: boolean;
  readonly before?: string;
  readonly loadingEarlier: boolean;
  readonly connection: Connection;
  /** Pressed buttons by message. */
  readonly pressed: Readonly<Record<string, string>>;
  /** Thumbs put on here, or taken back (null), by message; others stand with the message. */
  readonly rated: Readonly<Record<string, Thumb | null>>;
  /** The newest message that came while the page was open: what a screen reader is told. */
  readonly heard?: Message;
  readonly problem?: Problem;
};

export type Action =
  | { readonly type: "session"; readonly session: Session }
  | { readonly type: "loaded"; readonly history: History }
  | { readonly type: "failed"; readonly failure: string }
  | { readonly type: "retrying" }
  | { readonly type: "event"; readonly event: ServerEvent; readonly at: string }
  | { readonly type: "earlier" }
  | { readonly type: "earlierLoaded"; readonly history: History }
  | { readonly type: "earlierFailed" }
  | { readonly type: "unsent"; readonly unsent: readonly Unsent[] }
  | { readonly type: "connection"; readonly connection: Connection }
  | { readonly type: "stopping"; readonly stopping: boolean }
  | { readonly type: "rated"; readonly message: string; readonly thumb: Thumb | null }
  | { readonly type: "cleared" }
  | { readonly type: "problem"; readonly text: string }
  | { readonly type: "problemSeen" };

export const initialState: State = {
  phase: "loading",
  messages: [],
  unsent: [],
  typing: false,
  running: false,
  stopping: false,
  more: false,
  loadingEarlier: false,
  connection: "connecting",
  pressed: {},
  rated: {},
};

/** The same for a message and for the unsent entry it grew from, so that its row stays the same row. */
export const keyOf = (message: Message): string => message.clientId ?? message.id;

/**
 * An answer stands directly below the last message it answers, also when the person wrote on while it was made. Without
 * `answers` it stands where its draft stood, else at the end.
 */
export const insert = (messages: readonly Message[], message: Message, anchor?: string): readonly Message[] => {
  const known = messages.findIndex((m) => m.id === message.id);
  if (known !== -1) return messages.with(known, message);
  if (message.role !== "agent") return [...messages, message];
  const answered = new Set(message.answers ?? []);
  let at = messages.findLastIndex((m) => answered.has(m.id) || (m.clientId !== undefined && answered.has(m.clientId)));
  if (at === -1 && anchor !== undefined) at = messages.findIndex((m) => keyOf(m) === anchor);
  if (at === -1) return [...messages, message];
  while (at + 1 < messages.length && messages[at + 1]?.role !== "user") at++;
  return messages.toSpliced(at + 1, 0, message);
};

const without = <K extends "draft" | "before" | "failure" | "problem" | "heard">(
  state: State,
  ...keys: K[]
): Omit<State, K> => {
  const copy = { ...state };
  for (const key of keys) delete copy[key];
  return copy;
};

/** Accepted entries that the gateway's messages already show need no row of their own. */
const stillUnsent = (unsent: readonly Unsent[], messages: readonly Message[]): readonly Unsent[] => {
  const shown = new Set(messages.flatMap((m) => (m.clientId === undefined ? [] : [m.clientId])));
  const rest = unsent.filter((entry) => !shown.has(entry.id));
  return rest.length === unsent.length ? unsent : rest;
};

const onMessage = (state: State, message: Message): State => {
  const fresh = !state.messages.some((m) => m.id === message.id);
  const messages = insert(state.messages, message, state.draft?.anchor);
  const ends = message.role === "agent" || (message.role === "notice" && state.draft?.live === false);
  const base: State = ends ? { ...without(state, "draft"), typing: false } : state;
  return {
    ...base,
    messages,
    unsent: stillUnsent(state.unsent, messages),
    ...(fresh && message.role !== "user" ? { heard: message } : {}),
  };
};

/** Words may come before the gateway says that a turn runs: they can be stopped from the first one on. */
const onDelta = (state: State, turn: string, text: string, at: string): State => {
  if (state.draft?.turn === turn) return { ...state, running: true, draft: { ...state.draft, text, live: true } };
  const sent = state.unsent.findLast((entry) => entry.state === "accepted" || entry.state === "sending");
  const last = state.messages.at(-1);
  const anchor = sent?.id ?? (last === undefined ? undefined : keyOf(last));
  return { ...state, running: true, draft: { turn, text, anchor, at, live: true } };
};

const onStatus = (state: State, running: boolean): State => {
  if (running) return { ...(state.draft?.live === false ? without(state, "draft") : state), running };
  const rest = { ...state, running, typing: false, stopping: false };
  return state.draft === undefined ? rest : { ...rest, draft: { ...state.draft, live: false } };
};

const onEvent = (state: State, event: ServerEvent, at: string): State => {
  switch (event.type) {
    case "message":
      return onMessage(state, event.message);
    case "delta":
      return onDelta(state, event.turn, event.text, at);
    case "typing":
      return { ...state, typing: event.on };
    case "status":
      return onStatus(state, event.running);
    case "reset":
      return {
        ...without(state, "draft", "before", "heard"),
        messages: [],
        unsent: state.unsent.filter((entry) => entry.state !== "accepted"),
        typing: false,
        running: false,
        stopping: false,
        more: false,
        pressed: {},
      };
  }
};

/** The server orders by time; the answers' places are found again, so that a reload looks as the live page did. */
const arrange = (messages: readonly Message[]): readonly Message[] =>
  messages.reduce<readonly Message[]>((sorted, message) => insert(sorted, message), []);

const cursor = (history: History): { before?: string } =>
  history.before === undefined ? {} : { before: history.before };

const onLoaded = (state: State, history: History): State => {
  const messages = arrange(history.messages);
  return {
    ...without(state, "draft", "before", "failure"),
    ...cursor(history),
    phase: "ready",
    messages,
    unsent: stillUnsent(state.unsent, messages),
    running: history.running,
    typing: false,
    more: history.more,
    loadingEarlier: false,
  };
};

const onUnsent = (state: State, unsent: readonly Unsent[]): State => {
  const presses = unsent.flatMap((e) => (e.press === undefined ? [] : [[e.press.message, e.press.button] as const]));
  const dropped = state.unsent.filter((old) => old.press !== undefined && !unsent.some((e) => e.id === old.id));
  // A press that left without being accepted was discarded: its buttons work again.
  const undone = dropped.flatMap((old) =>
    old.state === "failed" && old.press !== undefined ? [old.press.message] : [],
  );
  const pressed = Object.fromEntries(Object.entries(state.pressed).filter(([message]) => !undone.includes(message)));
  return {
    ...state,
    unsent: stillUnsent(unsent, state.messages),
    pressed: { ...pressed, ...Object.fromEntries(presses) },
  };
};

/**
 * Out of reach nothing can be stopped, and what becomes of the running answer is not known: its words stay to be read. Once
 * the gateway is back it says all anew: the next words, or the whole answer.
 */
const onConnection = (state: State, connection: Connection): State => {
  if (connection === "lost") return { ...state, connection, running: false, typing: false, stopping: false };
  return { ...(state.connection === "lost" ? without(state, "draft") : state), connection };
};

const onEarlier = (state: State, history: History): State => {
  const ids = new Set(state.messages.map((m) => m.id));
  const older = history.messages.filter((m) => !ids.has(m.id));
  return {
    ...without(state, "before"),
    ...cursor(history),
    messages: arrange([...older, ...state.messages]),
    more: history.more,
    loadingEarlier: false,
  };
};

export const reduce = (state: State, action: Action): State => {
  switch (action.type) {
    case "session":
      return { ...state, session: action.session };
    case "loaded":
      return onLoaded(state, action.history);
    case "failed":
      return { ...state, phase: "failed", failure: action.failure };
    case "retrying":
      return { ...without(state, "failure"), phase: "loading" };
    case "event":
      return onEvent(state, action.event, action.at);
    case "earlier":
      return { ...state, loadingEarlier: true };
    case "earlierLoaded":
      return onEarlier(state, action.history);
    case "earlierFailed":
      return { ...state, loadingEarlier: false };
    case "unsent":
      return onUnsent(state, action.unsent);
    case "connection":
      return state.connection === action.connection ? state : onConnection(state, action.connection);
    case "stopping":
      return { ...state, stopping: action.stopping };
    case "rated":
      return { ...state, rated: { ...state.rated, [action.message]: action.thumb } };
    case "cleared":
      return onEvent(state, { type: "reset" }, "");
    case "problem":
      return { ...state, problem: { key: (state.problem?.key ?? 0) + 1, text: action.text } };
    case "problemSeen":
      return without(state, "problem");
  }
};
