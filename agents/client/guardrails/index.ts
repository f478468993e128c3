/**
 * An agent's guardrails, as the SDK's: what people write is checked before a model or a tool sees it, what the agent says, offers and
 * writes into files before anybody else does. An agent without any has none of this at all.
 *
 * What a rule takes is not kept: the answer is a notice of the gateway's, and of what people wrote the history is shown without it.
 * Where an operator is asked, the text waits in the run's place (`src/asks.ts`) and is shown to them alone.
 */
import type { AgentInputItem, InputGuardrail, OutputGuardrail, Runner } from "@openai/agents";
import type { HistoryItem, Resume, TurnInput, TurnOutput } from "../../../src/agent.ts";
import { answer as answerShape, fromPeople, type Answer } from "../../../src/message.ts";
import { z } from "zod";
import type { Readings } from "../media.ts";
import { clip } from "../render.ts";
import type { TurnContext } from "../turn-context.ts";
import { createChecks, type Trip, type Verdict } from "./checks.ts";
import { judged, type JudgeDeps } from "./judge.ts";
import { given } from "./links.ts";
import type { GuardrailSettings, JudgeRule } from "./settings.ts";

export interface Guardrails {
  /** What is said is held back until it has been checked. */
  readonly holdsBack: boolean;
  /** What of the past may be shown to a model. @param open of this turn an operator has let through. */
  past(items: readonly HistoryItem[], open?: string): readonly HistoryItem[];
  /** Without what is left out of messages. */
  masked(items: readonly AgentInputItem[]): readonly AgentInputItem[];
  turn(of: GuardedTurn): TurnGuard;
}

export interface GuardedTurn {
  readonly input: TurnInput;
  readonly readings: Readings;
  readonly signal: AbortSignal;
  /** An operator has let the input through. */
  readonly passed: boolean;
}

export interface TurnGuard {
  readonly inputGuardrails: InputGuardrail[];
  readonly outputGuardrails: OutputGuardrail[];
  /** For what the model is given: addresses in it are not the model's own. */
  readonly sees: ((items: readonly AgentInputItem[]) => void) | undefined;
  /** Of a text for the person that is no answer yet: whether it may go there as it is. */
  readonly mayShow: ((text: string) => Promise<boolean>) | undefined;
  /** What of the answer is said; nothing of it where there is a `trip` from then on. */
  said(text: string): Promise<string>;
  /** What ended the run. */
  readonly trip: (Trip & { readonly side: "input" | "output"; readonly text: string }) | undefined;
}

/** What waits for an operator's word, in the place of a run's state. */
const heldState = z.object({ v: z.literal(1), guardrail: z.enum(["input", "output"]), answer: answerShape.optional() });
const longestShown = 2_000;
const leftOut = "(left out by a rule of the operator's)";

export function createGuardrails(
  settings: GuardrailSettings,
  deps: Omit<JudgeDeps, "runner">,
  runner: Runner,
): Guardrails {
  const input = createChecks(settings.input);
  const output = createChecks(settings.output);
  const none: ReadonlySet<string> = new Set();
  const judge = (rule: JudgeRule, text: string, of: string, signal: AbortSignal) =>
    judged(rule, text, of, { ...deps, runner }, signal);

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
            if (!("role" in item) || item.role !== "user" || typeof item.content !== "string") return item;
            return { ...item, content: input.masked(item.content) };
          }),
    turn({ input: of, readings, signal, passed }) {
      const addresses = createGiven();
      let trip: TurnGuard["trip"];
      const checked = new Map<string, Verdict>();
      const check = async (text: string): Promise<Verdict> => {
        const known = checked.get(text);
        if (known !== undefined) return known;
        const options = {
          given: addresses.all,
          judge: (rule: JudgeRule, one: string) => judge(rule, one, "answer", signal),
        };
        const verdict = await output.check(text, options);
        checked.set(text, verdict);
        return verdict;
      };
      const written = passed ? "" : wordsOf(of, readings);
      const checksInput: InputGuardrail = {
        name: "input",
        runInParallel: false,
        async execute() {
          const options = {
            given: () => none,
            judge: (rule: JudgeRule, one: string) => judge(rule, one, "message", signal),
          };
          const verdict = await input.check(written, options);
          if (verdict.trip !== undefined) trip = { ...verdict.trip, side: "input", text: written };
          return { tripwireTriggered: trip !== undefined, outputInfo: verdict.trip?.check };
        },
      };
      const checksOutput: OutputGuardrail = {
        name: "output",
        async execute({ agentOutput }) {
          const verdict = await check(agentOutput);
          if (verdict.trip !== undefined) trip = { ...verdict.trip, side: "output", text: verdict.text };
          return { tripwireTriggered: verdict.trip !== undefined, outputInfo: verdict.trip?.check };
        },
      };
      return {
        inputGuardrails: input.none || written === "" ? [] : [checksInput],
        outputGuardrails: output.none ? [] : [checksOutput],
        sees: output.none ? undefined : addresses.see,
        mayShow: output.none
          ? undefined
          : async (text) => {
              const verdict = await check(text);
              return verdict.trip === undefined && verdict.text === text;
            },
        async said(text) {
          if (output.none || text === "") return text;
          const verdict = await check(text);
          if (verdict.trip !== undefined) trip ??= { ...verdict.trip, side: "output", text: verdict.text };
          return verdict.text;
        },
        get trip() {
          return trip;
        },
      };
    },
  };
}

/** What people wrote and said themselves: not what files hold, and nothing that the gateway tells. */
function wordsOf({ messages }: TurnInput, readings: Readings): string {
  return fromPeople(messages)
    .flatMap(({ message }) => {
      const parts = message.parts.flatMap((part) => {
        if (part.kind === "text") return [part.text];
        if (!("source" in part)) return [];
        const heard = part.kind === "voice" || part.kind === "audio" ? (readings.get(part)?.kept ?? "") : "";
        return [part.alt ?? "", heard];
      });
      return [...parts, message.command?.args ?? ""];
    })
    .filter((text) => text !== "")
    .join("\n");
}

/** Addresses that people, the past and sources gave: not those that the model put into its own calls before. */
function createGiven() {
  const known = new Set<string>();
  const own = new Set<string>();
  let seen: readonly AgentInputItem[] = [];
  return {
    see: (items: readonly AgentInputItem[]) => void (seen = items),
    all(): ReadonlySet<string> {
      for (const item of seen) {
        if (item.type === "function_call") for (const url of given(item.arguments)) own.add(url);
        else if (item.type !== "reasoning") for (const url of given(JSON.stringify(item))) known.add(url);
      }
      return new Set([...known].filter((url) => !own.has(url)));
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
  if (trip === undefined || trip.then === "refuse") return { answer: { parts: [], notice: "withheld" } };
  const { side, check, text } = trip;
  const parts: Answer["parts"] = [{ kind: "text", text, format: "markdown" }, ...attached];
  const state = JSON.stringify({ v: 1, guardrail: side, ...(side === "output" && { answer: { parts } }) });
  const call = { tool: `guardrail ${side} ${check}`, args: JSON.stringify({ text: clip(text, longestShown) }) };
  return { answer: { parts: [] }, pause: { state, calls: [call], by: "operator", forMs, unshown: true } };
}
