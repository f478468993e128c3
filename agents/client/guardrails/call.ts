/** The rules for output on a call of a tool: what of it the person gets to see is checked as the answer is. */
import { defineToolInputGuardrail, type ToolInputGuardrailDefinition } from "@openai/agents";
import type { TurnContext } from "../turn-context.ts";

const withheld = "Not done: a rule of the operator's does not let this go to the person.";

/** @param shows of a call that cannot be read, nothing: it is none that is made. */
export function guardedCall(shows: (args: unknown) => readonly string[]): ToolInputGuardrailDefinition {
  return defineToolInputGuardrail({
    name: "output",
    async run({ context, toolCall }) {
      const { mayShow } = context.context as TurnContext;
      if (mayShow === undefined) return { behavior: { type: "allow" } };
      const allowed = await Promise.all(shows(parsed(toolCall.arguments)).map(mayShow));
      if (!allowed.includes(false)) return { behavior: { type: "allow" } };
      return { behavior: { type: "rejectContent", message: withheld } };
    },
  });
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}
