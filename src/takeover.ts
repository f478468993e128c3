/**
 * A person of the operator's instead of the agent: the reducer's part. While somebody has the conversation, what people say is
 * remembered and set aside by a rule (`hearOut` in `scheduling.ts`), what the gateway tells the agent waits, and no turn starts. While
 * nobody has come yet, everything waits.
 */
import { closeAsks, decisionOf } from "./asks.ts";
import type { Draft } from "./draft.ts";
import type { Moment, Reply } from "./events.ts";
import { digestOf, type AgentId, type ConversationId, type TurnId } from "./ids.ts";
import { describeAnswer, type Answer } from "./message.ts";
import { add, itemChars } from "./remembering.ts";
import { advance, end } from "./scheduling.ts";
import { isSeen } from "./seen.ts";
import type { Thread } from "./state.ts";
import type { TakeoverEvent } from "./takeover-events.ts";
import type { Held, WantedPerson } from "./takeover-state.ts";

type Of<Type extends TakeoverEvent["type"]> = Moment & Extract<TakeoverEvent, { type: Type }>;

/** "refused": somebody else has it, or nobody; "stale": it is not known; "busy": it has another time by now; "early": the turn that asks runs. */
export function takeoverStep(draft: Draft, event: Moment & TakeoverEvent): Reply {
  switch (event.type) {
    case "taken":
      return taken(draft, event);
    case "spoken":
      return spoken(draft, event);
    case "handedBack":
      return handedBack(draft, event);
    case "lapsed":
      return lapsed(draft, event);
  }
}

/** A person is asked for, and none has come. */
export function isAskedFor({ held }: Thread): boolean {
  return held !== undefined && held.by === undefined;
}

interface Asking {
  readonly agent: AgentId;
  readonly conversation: ConversationId;
  readonly now: number;
  readonly wanted: WantedPerson;
  /** What was said with it. */
  readonly answer: Answer;
}

/** With the answer of the turn that asks. */
export function askForPerson(draft: Draft, { agent, conversation, now, wanted, answer }: Asking): void {
  if (draft.thread(conversation)?.held !== undefined) return;
  const { id, until } = wanted;
  draft.patch(conversation, { held: { id, n: 0, at: now, until } });
  remark(draft, id, "(a person was asked to take over; until one does, what the person writes waits)", now);
  if (answer.notice !== "personAsked") tell(draft, agent, conversation, personAsked(until - now), now);
}

/** What the person is told of it. */
export function personAsked(waitMs: number): Pick<Answer, "notice" | "values"> {
  return { notice: "personAsked", values: { minutes: String(Math.max(1, Math.round(waitMs / 60_000))) } };
}

/** The agent falls silent at once: what runs is called off as by /stop, and what waited for a word is over. */
function taken(draft: Draft, event: Of<"taken">): Reply {
  const { to, by, now, via, force, silentMs } = event;
  const { conversation } = to;
  if (via === undefined && !draft.knows(conversation)) return "stale";
  const before = draft.thread(conversation)?.held;
  if (before?.by === by) return "duplicate";
  if (before?.by !== undefined && force !== true) return "refused";
  draft.open(to, via && { ...via, via: via.agent });
  quieten(draft, conversation);
  const held: Held = {
    id: before?.id ?? event.id,
    n: (before?.n ?? 0) + 1,
    by,
    at: now,
    ...(silentMs !== undefined && { silentMs, until: now + silentMs }),
  };
  const hadAsked = draft.thread(conversation)?.asks !== undefined;
  closeAsks(draft, conversation);
  draft.patch(conversation, { held });
  const undone = hadAsked ? "; what waited for somebody's word was not done" : "";
  remark(
    draft,
    `${held.id}.${held.n}`,
    `(${by}, a person, answers here from now on, and you are silent${undone})`,
    now,
  );
  if (before?.by === undefined) tell(draft, event.agent, conversation, { notice: "personHere" }, now);
  advance(draft, conversation, event);
  return "accepted";
}

/** A command of the gateway's own goes on; a run that somebody let go on does not. */
function quieten(draft: Draft, conversation: ConversationId): void {
  const thread = draft.thread(conversation);
  const command = thread?.pending.find(({ id }) => id === thread.turn?.command);
  if (command === undefined || decisionOf(command) !== undefined) end(draft, conversation);
  draft.patch(conversation, { questions: undefined });
}

function spoken(draft: Draft, event: Of<"spoken">): Reply {
  const { agent, conversation, message, answer, now } = event;
  const thread = draft.thread(conversation);
  if (thread === undefined) return "stale";
  if (isSeen(draft.state, message)) return "duplicate";
  if (!isTheirs(thread.held, event)) return "refused";
  const { silentMs } = thread.held;
  draft.markSeen(message, undefined, now);
  const words = { role: "operator", name: event.by, text: describeAnswer(answer).slice(0, itemChars) } as const;
  add(draft, [{ ...words, at: now, turn: turnOf(message) }]);
  draft.put({ v: 1, agent, to: thread.to, seq: 1, answers: [], requests: [message], answer, at: now });
  if (silentMs !== undefined) draft.patch(conversation, { held: { ...thread.held, until: now + silentMs } });
  return "accepted";
}

function handedBack(draft: Draft, event: Of<"handedBack">): Reply {
  const { conversation, by, force, note, now } = event;
  const held = draft.thread(conversation)?.held;
  if (held === undefined) return "stale";
  // Whoever says that nobody comes need not have come.
  if (force !== true && held.by !== undefined && !isTheirs(held, event)) return "refused";
  if (note !== undefined) {
    const words = { role: "note", name: `${by} hands back`, text: note.slice(0, itemChars) } as const;
    add(draft, [{ ...words, at: now, turn: turnOf(`note ${held.id}.${held.n}`) }]);
  }
  endWith(draft, event, held.by === undefined ? "nobodyCame" : "personGone", by);
  return "accepted";
}

function lapsed(draft: Draft, event: Of<"lapsed">): Reply {
  const { held, turn } = draft.thread(event.conversation) ?? {};
  if (held?.id !== event.id) return event.turn !== undefined && turn?.id === event.turn ? "early" : "stale";
  // The operator has said something since.
  if (held.until !== event.until) return "busy";
  endWith(draft, event, held.by === undefined ? "nobodyCame" : "personGone", "nobody");
  return "accepted";
}

/** The conversation is the agent's again, and everybody is told. */
function endWith(
  draft: Draft,
  event: Of<"handedBack"> | Of<"lapsed">,
  notice: "personGone" | "nobodyCame",
  by: string,
): void {
  const { agent, conversation, now } = event;
  tell(draft, agent, conversation, { notice }, now);
  letGo(draft, conversation, by);
  const text = notice === "nobodyCame" ? "(nobody took over: you answer)" : "(the conversation is yours again)";
  remark(draft, `${event.type} ${conversation} ${now}`, text, now);
  advance(draft, conversation, event);
}

/** Nobody has it or is asked for any more; the person is told nothing. */
export function letGo(draft: Draft, conversation: ConversationId, by: string): void {
  const thread = draft.thread(conversation);
  if (thread?.held === undefined) return;
  draft.patch(conversation, { held: undefined });
  draft.effects.push({ kind: "handBack", to: thread.to, id: thread.held.id, by });
}

function tell(
  draft: Draft,
  agent: AgentId,
  conversation: ConversationId,
  notice: Pick<Answer, "notice" | "values">,
  now: number,
): void {
  draft.say(agent, conversation, { parts: [], ...notice }, draft.thread(conversation)?.locale, now);
}

function isTheirs(held: Held | undefined, { by, n }: { readonly by: string; readonly n?: number }): held is Held {
  return held?.by === by && (n === undefined || n === held.n);
}

function remark(draft: Draft, of: string, text: string, at: number): void {
  add(draft, [{ role: "note", text, at, turn: turnOf(of) }]);
}

/** Of a name of its own, as {@link said}'s. */
function turnOf(of: string): TurnId {
  return `held.${digestOf(of)}` as TurnId;
}
