/**
 * Questions that a tool has for the person while its call waits: the reducer's part. One at a time is open in a conversation. What
 * answers it is a message like any other: it waits among the person's until the turn has ended, whose answer covers it.
 */
import { match, withoutMention } from "./choices.ts";
import type { Draft } from "./draft.ts";
import type { AgentEvent, Reply } from "./events.ts";
import type { ConversationId } from "./ids.ts";
import type { Answer, InboundMessage } from "./message.ts";
import { noticeText } from "./notices.ts";
import type { Asking, Question, QuestionState } from "./question-state.ts";
import type { Thread } from "./state.ts";

/** Of one turn; older ones are forgotten. */
const mostKept = 16;
const longestText = 2_000;
const skip = "skip";

export function answerOf({ id, text, from, options = [], locale }: Asking): Answer {
  const shown = { kind: "text" as const, text: text.slice(0, longestText), format: "plain" as const };
  const own = options.map(({ label }, at) => ({ id: `reply:${id}:${at}`, label }));
  const buttons = [...own, { id: `reply:${id}:${skip}`, label: noticeText("ratherNot", locale) }];
  return { parts: [shown], notice: "toolAsks", values: { from }, buttons };
}

/** The same question again is not put again; another one waits until that is over. */
export function questioned(draft: Draft, event: Extract<AgentEvent, { type: "questioned" }>): Reply {
  const { conversation, turn, attempt, asking } = event;
  const thread = draft.thread(conversation);
  if (thread?.turn?.id !== turn || thread.turn.attempt !== attempt) return "stale";
  const known = questionsOf(thread);
  const same = known.find(({ id }) => id === asking.id);
  if (same?.reply !== undefined) return "duplicate";
  const open = openIn(thread);
  if (open !== undefined && open !== same && open.attempt === attempt) return "busy";
  const { id, options, of } = asking;
  const more = options === undefined ? {} : { options: [...options] };
  const fresh = { id, turn, attempt, text: asking.text.slice(0, longestText), of: [...of], ...more };
  // What a dead attempt asked is not waited for.
  const before = known
    .filter((one) => one !== same)
    .map((one): Question => (one === open ? { ...one, over: true } : one));
  keep(draft, conversation, [...before, fresh]);
  if (same === undefined || same.over === true) put(draft, event);
  return "accepted";
}

function put(
  draft: Draft,
  { agent, conversation, asking, listed, now }: Extract<AgentEvent, { type: "questioned" }>,
): void {
  const answer = answerOf(asking);
  draft.say(agent, conversation, answer, asking.locale, now);
  if (listed === true) draft.patch(conversation, { choices: { buttons: answer.buttons ?? [], to: [...asking.of] } });
}

/** Nobody waits for it any more. */
export function unquestioned(
  draft: Draft,
  { conversation, turn, attempt, id }: Extract<AgentEvent, { type: "unquestioned" }>,
): Reply {
  const thread = draft.thread(conversation);
  const known = thread?.turn?.id === turn ? questionsOf(thread) : [];
  // A later attempt may have asked the same again.
  if (!known.some((one) => one.id === id && one.attempt === attempt && one.over === undefined)) return "stale";
  keep(
    draft,
    conversation,
    known.map((one): Question => (one.id === id ? { ...one, over: true } : one)),
  );
  wake(draft, conversation);
  return "accepted";
}

/** Takes the message as the answer to what is asked there. False where it is none. */
export function takeReply(draft: Draft, conversation: ConversationId, message: InboundMessage): boolean {
  const thread = draft.thread(conversation);
  const open = thread === undefined ? undefined : openIn(thread);
  if (thread === undefined || open === undefined || message.note !== undefined) return false;
  if (!open.of.includes(message.participant.id)) return false;
  const said = replyOf(open, message);
  if (said === undefined) return false;
  keep(
    draft,
    conversation,
    questionsOf(thread).map((one): Question =>
      one === open ? { ...one, reply: { message: message.id, ...said } } : one,
    ),
  );
  wake(draft, conversation);
  return true;
}

function wake(draft: Draft, conversation: ConversationId): void {
  const turn = draft.thread(conversation)?.turn;
  if (turn !== undefined) draft.effects.push({ kind: "wake", conversation, turn: turn.id, attempt: turn.attempt });
}

function replyOf(
  { id, options }: Question,
  { message }: InboundMessage,
): Omit<NonNullable<Question["reply"]>, "message"> | undefined {
  const [part, ...more] = message.parts;
  if (part === undefined || more.length > 0 || message.command !== undefined) return undefined;
  if (part.kind === "press") {
    const [, of, which] = buttonId.exec(part.button) ?? [];
    if (of !== id) return undefined;
    if (which === skip) return {};
    const option = options?.[Number(which)];
    return option === undefined ? undefined : { option: option.id };
  }
  if (part.kind !== "text") return undefined;
  const text = withoutMention(part.text.trim());
  if (options === undefined) return { text: text.slice(0, longestText) };
  const option = match(text, options);
  return option === undefined ? undefined : { option: option.id };
}

/** The rule by which an answer that came too late is set aside. */
export const questionOver = "the question is over";
const buttonId = /^reply:([\w-]{16}):(\w+)$/;

/** A button of a question that is over: nobody's message. */
export function isReplyPress({ message }: InboundMessage): boolean {
  const [part] = message.parts;
  return part?.kind === "press" && buttonId.test(part.button);
}

export function stateOf(thread: Thread | undefined, id: string): QuestionState {
  const found = thread === undefined ? undefined : questionsOf(thread).find((one) => one.id === id);
  if (found === undefined) return "stale";
  if (found.reply === undefined) return "open";
  const { text, option } = found.reply;
  return { ...(text !== undefined && { text }), ...(option !== undefined && { option }) };
}

function openIn(thread: Thread): Question | undefined {
  return questionsOf(thread).find(({ reply, over }) => reply === undefined && over === undefined);
}

/** Those of the running turn. */
export function questionsOf({ questions = [], turn }: Pick<Thread, "questions" | "turn">): readonly Question[] {
  return questions.filter((one) => one.turn === turn?.id);
}

function keep(draft: Draft, conversation: ConversationId, questions: readonly Question[]): void {
  draft.patch(conversation, { questions: questions.slice(-mostKept) });
}
