import { z } from "zod";
import type { AgentTraits } from "../../src/agent.ts";
import { guardrailSettings } from "./guardrails/settings.ts";
import { toolRule } from "../../src/tool-policy.ts";

export const builtInTools = ["current_time", "calculate", "offer_choices", "send_file"] as const;
export type BuiltInTool = (typeof builtInTools)[number];

/** An agent's settings as the configuration gives them; every one has a default. */
export const clientAgentSettings = z.object({
  name: z.string().min(1).max(64).default("Ascent"),
  instructions: z
    .string()
    .default("You are a helpful assistant. Answer in the language of the person, briefly and to the point."),
  /** `demo`, `openai:<model>`, `gemini:<model>` or `compatible:<model>`; or several, with commas between: the first to be had answers. */
  model: z.string().min(1).default("demo"),
  /** For the summary of older history; absent: the same model. */
  summaryModel: z.string().min(1).optional(),
  temperature: z.number().min(0).max(2).optional(),
  /** Of one answer of the model. Reasoning counts too, where the model reasons. */
  maxTokens: z.number().int().positive().optional(),
  /** Calls of the model in one turn: one more than rounds of tools. */
  maxTurns: z.number().int().min(1).max(100).default(10),
  /** Names of tools that it may use: its own, and "<source>__<tool>" of others; "*" stands for any characters. */
  tools: z
    .array(
      z
        .string()
        .refine(isToolName, `is no tool: take ${builtInTools.join(", ")}, or "<source>__<tool>"; "*" stands for any`),
    )
    .default(["*"]),
  /** What calls need before they are made; the first rule that fits counts. */
  rules: z.array(toolRule).default([]),
  /** Checks of what it is told and of what it says: see `guardrails/`. */
  guardrails: guardrailSettings,
  /** It may ask an operator where it is not sure; it is told what they say. */
  asksOperator: z.boolean().default(false),
  /** It may leave a conversation to a person of the operator's. */
  handsOver: z.boolean().default(false),
  /** Seconds that an approval is waited for. */
  approvalSeconds: z
    .number()
    .positive()
    .max(7 * 86_400)
    .default(3_600),
  context: z
    .object({
      /** See {@link AgentTraits.historyItems}. */
      historyItems: z.number().int().min(2).max(1000).default(20),
      /** Bound of summary, history and new messages together, estimated at four bytes a token. */
      tokens: z.number().int().min(500).default(8_000),
    })
    .prefault({}),
  /** The model sees: pictures that people send are given to it, not only their names. "auto": where its name says so. */
  vision: z.union([z.boolean(), z.literal("auto")]).default("auto"),
  /** Of a whole turn, tools and retries included. */
  timeoutMs: z.number().int().positive().default(300_000),
  /** Further tries when the model's answer is empty, broken off or unreadable; the server's refusals are not retried here. */
  retries: z.number().int().min(0).max(10).default(2),
  whileRunning: z.enum(["queue", "interrupt"]).default("queue"),
});
export type ClientAgentSettings = z.infer<typeof clientAgentSettings>;

function isToolName(name: string): boolean {
  return name.includes("*") || name.includes("__") || builtInTools.some((known) => known === name);
}

/** What of the settings the core acts on. */
export function traitsOf(settings: ClientAgentSettings): AgentTraits {
  const { whileRunning, timeoutMs, context } = settings;
  return { whileRunning, turnTimeoutMs: timeoutMs, historyItems: context.historyItems };
}
