import { tool, type Tool } from "@openai/agents";
import { z } from "zod";
import type { TurnContext } from "./turn-context.ts";

const parameters = z.object({
  reason: z.string().max(1_000).describe("for them: what the person needs, in a sentence"),
});

/** The agent leaves the conversation to a person of the operator's, from the end of the turn on. */
export const handOver: Tool<TurnContext> = tool<typeof parameters, TurnContext>({
  name: "hand_over",
  description:
    "Asks a person who runs this service to take over the conversation: where somebody asks to talk to a person, or needs what " +
    "you cannot give. You are silent from your answer on until they hand back.",
  parameters,
  execute({ reason }, context) {
    if (context !== undefined) context.context.handsOver = { reason };
    return "A person is asked once you have answered, and whoever you talk to is told so. Say no more than is needed.";
  },
});
