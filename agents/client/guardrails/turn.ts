/** The rules on one turn: what it brings, and what comes of it. */
import type { AgentInputItem, InputGuardrail, OutputGuardrail } from "@openai/agents";
import { addressesIn } from "../../../src/addresses.ts";
import type { TurnHooks, TurnInput } from "../../../src/agent.ts";
import { TerminalError } from "../../../src/errors.ts";
import { fromPeople } from "../../../src/message.ts";
import type { Readings } from "../media.ts";
import type { CheckOptions, Checks, Trip, Verdict } from "./checks.ts";

export interface GuardedTurn {
  readonly input: TurnInput;
  readonly readings: Readings;
  readonly signal: AbortSignal;
  /** What models that judge stand in line is not the turn's time. */
  readonly onWait?: TurnHooks["onWait"];
  /** An operator has let the input through. */
  readonly passed: boolean;
}

export interface TurnGuard {
  readonly inputGuardrails: InputGuardrail[];
  readonly outputGuardrails: OutputGuardrail[];
  /**
   * For an agent that is handed the turn: by itself the SDK checks what people wrote for the one that begins alone.
   * @throws TerminalError where a rule takes it; `trip` says which.
   */
  admit(): Promise<void>;
  /** For what the model is given: addresses in it are not the model's own. */
  readonly sees?: (items: readonly AgentInputItem[]) => void;
  /** Of a text for the person that is no answer yet: whether it may go there as it is. */
  readonly mayShow?: (text: string) => Promise<boolean>;
  /** What of the answer is said; nothing of it where there is a `trip` from then on. */
  said(text: string): Promise<string>;
  /** What ended the run. */
  readonly trip: (Trip & { readonly side: "input" | "output"; readonly text: string }) | undefined;
}

const nothing: ReadonlySet<string> = new Set();

/** @param judge of a message, or of an answer. */
export function createTurnGuard(
  { input: of, readings, passed }: GuardedTurn,
  { input, output }: { readonly input: Checks; readonly output: Checks },
  judge: (what: "message" | "answer") => CheckOptions["judge"],
): TurnGuard {
  const addresses = createGiven();
  const checked = new Map<string, Verdict>();
  let trip: TurnGuard["trip"];

  async function check(text: string): Promise<Verdict> {
    const verdict = checked.get(text) ?? (await output.check(text, { given: addresses.all, judge: judge("answer") }));
    checked.set(text, verdict);
    return verdict;
  }

  /** Ends the run where a rule takes the text. */
  function tripped({ trip: by, text }: Verdict, side: "input" | "output") {
    if (by !== undefined) trip ??= { ...by, side, text };
    return { tripwireTriggered: by !== undefined, outputInfo: by?.check };
  }

  const written = passed ? "" : wordsOf(of, readings);
  const checkInput = async () =>
    tripped(await input.check(written, { given: () => nothing, judge: judge("message") }), "input");
  const before: InputGuardrail = { name: "input", runInParallel: false, execute: checkInput };
  const after: OutputGuardrail = {
    name: "output",
    execute: async ({ agentOutput }) => tripped(await check(agentOutput), "output"),
  };
  return {
    inputGuardrails: input.none || written === "" ? [] : [before],
    outputGuardrails: output.none ? [] : [after],
    async admit() {
      if (input.none || written === "") return;
      const { tripwireTriggered } = await checkInput();
      if (tripwireTriggered)
        throw new TerminalError("a rule of the agent that the turn was handed to takes the message");
    },
    ...(!output.none && {
      sees: addresses.see,
      async mayShow(text: string) {
        const verdict = await check(text);
        return verdict.trip === undefined && verdict.text === text;
      },
    }),
    async said(text) {
      if (output.none || text === "") return text;
      const verdict = await check(text);
      tripped(verdict, "output");
      return verdict.text;
    },
    get trip() {
      return trip;
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

/** Addresses that people, the past and sources gave: not those that the model wrote itself before, whoever repeats them. */
function createGiven() {
  let seen: readonly AgentInputItem[] = [];
  /** What the run began with: answers in it are of the past. */
  let begunWith: number | undefined;
  return {
    see(items: readonly AgentInputItem[]) {
      seen = items;
      begunWith ??= items.length;
    },
    all(): ReadonlySet<string> {
      const known = new Set<string>();
      const own = new Set<string>();
      for (const [at, item] of seen.entries()) {
        if (item.type === "reasoning") continue;
        const isAnswer = "role" in item && item.role === "assistant" && at >= (begunWith ?? 0);
        const [into, other] = item.type === "function_call" || isAnswer ? [own, known] : [known, own];
        for (const url of addressesIn(textIn(item))) if (!other.has(url)) into.add(url);
      }
      return known;
    },
  };
}

/** Arguments are a text of their own, in which characters may be written in other ways. */
function textIn(item: AgentInputItem): string {
  if (item.type !== "function_call") return JSON.stringify(item);
  try {
    return `${item.arguments} ${JSON.stringify(JSON.parse(item.arguments))}`;
  } catch {
    return item.arguments;
  }
}
