/** What a part of an answer makes of its task: once more under the same key, nothing. Pure. */
import type { Outgoing, SendContext } from "../../src/channel.ts";
import type { NoticeKey } from "../../src/message.ts";
import type { TaskPart } from "../../src/skilled.ts";
import type { Settling } from "../../src/task-host.ts";
import type { Task } from "../../src/tasks.ts";
import { askIn, choicesOf, choicesPart, decisionsIn, idOf, openQuestions } from "./choices.ts";
import { partsOf } from "./format.ts";
import { markOf } from "./parse.ts";

/** The gateway speaks, and the agent goes on. */
const meanwhile: readonly NoticeKey[] = ["busy"];

/** @param marks of the task's messages that it answers, or that led to what it decides. */
export function settled(
  task: Task,
  part: Outgoing,
  context: SendContext,
  marks: ReadonlySet<string>,
): Settling | undefined {
  const buttons = part.kind === "location" ? [] : (part.buttons ?? []);
  const offered = buttons.map(({ id, label, url }) => (url === undefined ? { id, label } : { label, url }));
  const parts = offered.length === 0 ? partsOf(part) : [...partsOf(part), choicesPart(offered)];
  if (context.notice || context.asks !== undefined) return said(task, parts, context, marks);
  const id = idOf("answer", context.key, context);
  const known = task.artifacts.some((one) => one.id === id);
  const now = { ...kept(task), artifacts: known ? task.artifacts : [...task.artifacts, { id, parts }] };
  if (context.last && owesNoMore(task, context, marks)) return resting({ ...task, ...now }, "completed");
  return known ? undefined : now;
}

/** The answer cannot be had as it is. */
export function undeliverable({ artifacts, messages }: Task, key: string, text: string): Settling {
  const words = { id: idOf("said", key, {}), role: "agent" as const, parts: [{ kind: "text" as const, text }] };
  return { state: "failed", artifacts, messages, said: words };
}

/** The gateway speaks: it asks, it tells that something goes on, or it says that there is no answer. */
function said(
  task: Task,
  parts: readonly TaskPart[],
  context: SendContext,
  marks: ReadonlySet<string>,
): Settling | undefined {
  const { key, first, last, noticeKey, decides, asks } = context;
  const id = idOf("said", key, context);
  const isKnown = task.said?.id === id || task.messages.some((one) => one.id === id);
  if (isKnown || (marks.size > 0 && [...marks].every((mark) => mark === "stop"))) return undefined;
  const before = first ? [] : (task.said?.parts ?? []);
  const words = { id, role: "agent" as const, parts: [...before, ...parts] };
  if (!last) return { ...kept(task), said: words };
  const now = { ...kept(task), messages: [...task.messages, words] };
  if (noticeKey !== undefined && meanwhile.includes(noticeKey)) return { ...now, said: words };
  const isAlone = asks === undefined && decides === undefined && openQuestions(task).length === 0;
  if (isAlone) return { ...now, state: "failed", said: words };
  if (!owesNoMore(task, context, marks)) return now;
  return resting({ ...task, ...now }, "failed", words);
}

/** Nothing that its caller said waits for an answer: a question stands, or this answers the last of it. Answers come in order. */
function owesNoMore(task: Task, { decides }: SendContext, marks: ReadonlySet<string>): boolean {
  if (task.said !== undefined && askIn(task.said.id) !== undefined) return true;
  const { messages } = task;
  const decisions = decisionsIn(messages);
  const open = new Set(openQuestions(task).map(({ id }) => id));
  const answered = messages.findLastIndex((one) => marks.has(markOf(one)));
  return messages.every((one, at) => {
    if (at <= answered || one.role === "agent") return true;
    // A word on what is decided has no answer of its own.
    const question = decisions.get(at)?.question;
    return question !== undefined && (!open.has(question) || askIn(question) === decides?.id);
  });
}

/** It waits for the word that is still open, or has come to its end. */
function resting(task: Task, end: "completed" | "failed", words?: Task["said"]): Settling {
  const { state: _state, said: _said, ...now } = kept(task);
  const [question] = openQuestions(task);
  if (question === undefined) return { ...now, state: end, ...(words !== undefined && { said: words }) };
  return { ...now, state: choicesOf(question).length > 0 ? "input-required" : "working", said: question };
}

const kept = ({ state, artifacts, messages, said: words }: Task): Settling => ({
  state,
  artifacts,
  messages,
  ...(words !== undefined && { said: words }),
});
