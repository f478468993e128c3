/**
 * An agent's guardrails, as the SDK's: what people write is checked before a model or a tool sees it, what the agent says, offers and
 * writes into files before anybody else does. An agent without any has none of this at all.
 *
 * What a rule takes is not kept: the answer is a notice of the gateway's, and of what people wrote the history is shown without it.
 * Where an operator is asked, the text waits in the run's place (`src/asks.ts`) and is shown to them alone.
 */
import type { AgentInputItem, Runner } from "@openai/agents";
import type { HistoryItem, Resume, TurnOutput } from "../../../src/agent.ts";
import { payerOf } from "../../../src/budgets.ts";
import { waitsTogether } from "../../../src/model-line.ts";
import { answer as answerShape, type Answer } from "../../../src/message.ts";
import { z } from "zod";
import { clip } from "../render.ts";
import type { TurnContext } from "../turn-context.ts";
import { createChecks } from "./checks.ts";
import { judged, type JudgeDeps } from "./judge.ts";
import type { GuardrailSettings } from "./settings.ts";
import { createTurnGuard, type GuardedTurn, type TurnGuard } from "./turn.ts";

export interface Guardrails {
  /** What is said is held back until it has been checked. */
  readonly holdsBack: boolean;
  /** What of the past may be shown to a model. @param open of this turn an operator has let through. */
  past(items: readonly HistoryItem[], open?: string): readonly HistoryItem[];
  /** Without what is left out of messages. */
  masked(items: readonly AgentInputItem[]): readonly AgentInputItem[];
  turn(of: GuardedTurn): TurnGuard;
}

/** What waits for an operator's word, in the place of a run's state. */
const heldState = z.object({ v: z.literal(1), guardrail: z.enum(["input", "output"]), answer: answerShape.optional() });
const longestShown = 2_000;
const leftOut = "(left out by a rule of the operator's)";

export function createGuardrails(
  settings: GuardrailSettings,
  deps: Omit<JudgeDeps, "runner" | "caller">,
  runner: Runner,
): Guardrails {
  const input = createChecks(settings.input);
  const output = createChecks(settings.output);

  return {
    holdsBack: !output.none,
    past: (items, open) =>
      input.none
        ? items
        : items.map((item) => {
            if (item.role !== "user" || item.turn === open) return item;
            return { ...item, text: input.remembered(item.text, item.read === undefined) ?? leftOut };
          }),
    masked: (items) =>
      input.none
        ? items
        : items.map((item) => {
            if (!("role" in item) || item.role !== "user") return item;
            if (typeof item.content === "string") return { ...item, content: input.masked(item.content) };
            const content = item.content.map((part) =>
              part.type === "input_text" ? { ...part, text: input.masked(part.text) } : part,
            );
            return { ...item, content };
          }),
    turn(of) {
      // Tools may ask for a judge at the same time.
      const waitOfOne = waitsTogether(of.onWait);
      return createTurnGuard(of, { input, output }, (what) => {
        const { turn, to } = of.input;
        const payer = payerOf(of.input.agent, to);
        const asking = { tenant: to.tenant, line: to.conversation, payer, turn };
        return (rule, text) => {
          const caller = { ...asking, onWait: waitOfOne() };
          return judged(rule, text, what, { ...deps, runner, caller }, of.signal);
        };
      });
    },
  };
}

export type HeldBack = z.infer<typeof heldState>;

/** Undefined where a run waits for the word, and nothing that a rule has taken. */
export function heldBack({ state }: Resume): HeldBack | undefined {
  if (!state.startsWith('{"v":1,"guardrail":')) return undefined;
  return heldState.parse(JSON.parse(state));
}

/** What the turn comes to where a rule has ended it. */
export function endedBy(
  { trip }: Pick<TurnGuard, "trip">,
  { attached, handsOver }: Pick<TurnContext, "attached" | "handsOver">,
  forMs: number,
): Pick<TurnOutput, "answer" | "pause" | "handsOver"> {
  // Who takes over reads what was asked, and may answer otherwise.
  if (handsOver !== undefined) return { answer: { parts: [] }, handsOver };
  if (trip === undefined || trip.action === "refuse") return { answer: { parts: [], notice: "withheld" } };
  const { side, check, text } = trip;
  const parts: Answer["parts"] = [{ kind: "text", text, format: "markdown" }, ...attached];
  const state = JSON.stringify({ v: 1, guardrail: side, ...(side === "output" && { answer: { parts } }) });
  const call = { tool: `guardrail ${side} ${check}`, args: JSON.stringify({ text: clip(text, longestShown) }) };
  return { answer: { parts: [] }, pause: { state, calls: [call], by: "operator", forMs, unshown: true } };
}
