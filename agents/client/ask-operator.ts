import { tool, type Tool } from "@openai/agents";
import { z } from "zod";
import { renderResult } from "./render.ts";
import type { TurnContext } from "./turn-context.ts";

const parameters = z.object({ question: z.string().max(1_000).describe("all that they need to know to answer it") });

/** The agent asks a person of the operator's: the call waits for their word, which is its result. */
export const askOperator: Tool<TurnContext> = tool<typeof parameters, TurnContext>({
  name: "ask_operator",
  description:
    "Asks somebody who runs this service where you are not sure, or where a person has to decide. It may take an hour; " +
    "you go on when they have answered.",
  parameters,
  needsApproval: true,
  execute(_question, context) {
    context?.context.notes.hasRead();
    context?.context.doubts.add("asked-operator");
    return renderResult("ask_operator", context?.context.note ?? "They agree.", false);
  },
});
