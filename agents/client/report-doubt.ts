import { tool, type Tool } from "@openai/agents";
import { z } from "zod";
import type { TurnContext } from "./turn-context.ts";

const parameters = z.object({ about: z.string().max(300).describe("what is not certain, in a few words") });

/** A word of the agent's on its own answer, which its operators see and the person does not. */
export const reportDoubt: Tool<TurnContext> = tool<typeof parameters, TurnContext>({
  name: "report_doubt",
  description:
    "Says that you are not sure of the answer that you are about to give: you had to guess, or what you know may be out of date. " +
    "Answer as well as you can all the same. The person is not told of this.",
  parameters,
  execute(_doubt, context) {
    context?.context.doubts.add("unsure");
    return "Noted.";
  },
});
