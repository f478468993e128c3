/** How a tool of the agent's asks the person while its call waits. */
import { createHash } from "node:crypto";
import type { TurnHooks, TurnInput } from "../../src/agent.ts";
import type { PersonReply } from "../../src/tools.ts";
import type { Question } from "./plan.ts";

export const options = [
  { id: "apple", label: "An apple" },
  { id: "pear", label: "A pear" },
] as const;

export const questionTextOf = ({ name }: Pick<Question, "name">): string => `${name}: which?`;

/** The question that a message of the gateway puts. */
export function questionIn(text: string): string | undefined {
  return /\b(q\d+): which\?/.exec(text)?.[1];
}

export async function askPerson(
  { agent, turn }: Pick<TurnInput, "agent" | "turn">,
  { signal, onQuestion }: Pick<TurnHooks, "signal" | "onQuestion">,
  question: Question,
): Promise<PersonReply> {
  if (onQuestion === undefined) return { kind: "silent" };
  const id = createHash("sha256").update(`${agent} ${turn}:${question.name}`).digest("base64url").slice(0, 16);
  const text = questionTextOf(question);
  const given = question.options ? { options } : {};
  return onQuestion({ id, from: "tool", text, forMs: question.forMs, signal, ...given });
}
