/**
 * Questions of a task, and which of its messages decide them. A question's id says which call waits for a word, and the id of what
 * came of that says it too, so that the task alone tells what is open. Pure.
 */
import type { AskedFor } from "../../src/message.ts";
import type { TaskMessage, TaskPart } from "../../src/skilled.ts";
import type { Task } from "../../src/tasks.ts";

export interface Choice {
  readonly id: string;
  readonly label: string;
}

/** How what is offered stands beside the words: as data. Links are no choices. */
export const choicesPart = (
  choices: readonly (Choice | { readonly label: string; readonly url: string })[],
): TaskPart => ({
  kind: "data",
  data: { choices: [...choices] },
});

export function choicesOf({ parts }: Pick<TaskMessage, "parts">): readonly Choice[] {
  return parts.flatMap((part) => {
    const given = part.kind === "data" ? (part.data as { choices?: unknown } | null)?.choices : undefined;
    return Array.isArray(given) ? (given as (Choice & { url?: string })[]).filter(({ url }) => url === undefined) : [];
  });
}

/** The id of what is said with this: of a call's question, of what came of one, or of both. */
export function idOf(kind: "said" | "answer", key: string, of: About): string {
  return `${kind}-${key}${of.decides === undefined ? "" : `-${of.decides.id}`}${of.asks === undefined ? "" : `+${of.asks.id}`}`;
}
interface About {
  readonly asks?: Pick<AskedFor, "id">;
  readonly decides?: Pick<AskedFor, "id">;
}

export const askIn = (id: string): string | undefined => /\+([\w-]{16})$/.exec(id)?.[1];
const decisionIn = (id: string): string | undefined => /-([\w-]{16})(?:\+[\w-]{16})?$/.exec(id)?.[1];

type Told = Pick<Task, "messages" | "artifacts">;

/** Questions whose calls still wait, the newest first. */
export function openQuestions({ messages, artifacts }: Told): readonly TaskMessage[] {
  // The ids of the caller's own messages are the caller's.
  const own = messages.filter(({ role }) => role === "agent");
  const decided = new Set([...own, ...artifacts].map(({ id }) => decisionIn(id)));
  const isOpen = (ask: string | undefined) => ask !== undefined && !decided.has(ask);
  return own.filter(({ id }) => isOpen(askIn(id))).toReversed();
}

export interface Decided {
  /** The question's message. */
  readonly question: string;
  readonly choice: Choice;
}

/**
 * What the caller's messages decide, by their place. A choice's id, as text or as data `{"choice": "<id>"}`, decides the question that has it; its
 * label the newest that nobody has decided, or the newest; its number only right after the question.
 */
export function decisionsIn(messages: readonly TaskMessage[]): ReadonlyMap<number, Decided> {
  const all = new Map<number, Decided>();
  const decided = new Set<string>();
  const questions: TaskMessage[] = [];
  /** All that was said since it was put decides it. */
  let stands = false;
  for (const [at, message] of messages.entries()) {
    if (message.role === "agent") {
      stands = choicesOf(message).length > 0;
      if (stands) questions.unshift(message);
      continue;
    }
    const found = decisionOf(message, questions, decided, stands);
    stands &&= found !== undefined;
    if (found === undefined) continue;
    decided.add(found.question);
    all.set(at, found);
  }
  return all;
}

function decisionOf(
  { parts }: TaskMessage,
  questions: readonly TaskMessage[],
  decided: ReadonlySet<string>,
  byNumber: boolean,
): Decided | undefined {
  const [part, ...more] = parts;
  if (part === undefined || more.length > 0) return undefined;
  const data = part.kind === "data" ? (part.data as { choice?: unknown } | null)?.choice : undefined;
  const said = part.kind === "text" ? part.text.trim() : data;
  if (typeof said !== "string") return undefined;
  const asked = questions.find(({ id }) => !decided.has(id)) ?? questions[0];
  for (const question of questions) {
    const choice = choicesOf(question).find(({ id, label }, at) => {
      if (said === id) return true;
      return (
        question === asked && (said.toLowerCase() === label.toLowerCase() || (byNumber && said === String(at + 1)))
      );
    });
    if (choice !== undefined) return { question: question.id, choice };
  }
  return undefined;
}
