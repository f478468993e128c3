/**
 * Tools that come from outside, as the SDK's: those that this agent may use, each call under the operator's rules and in the
 * ledger of effects. What a source says of its tools and what a tool answers is shown to the model as data.
 */
import { createHash } from "node:crypto";
import { tool, type RunContext, type Tool } from "@openai/agents";
import { BudgetError, payerOf, type Meter } from "../../src/budgets.ts";
import { InputError, reasonOf, TerminalError } from "../../src/errors.ts";
import type { Effects } from "../../src/effects.ts";
import type { TurnId } from "../../src/ids.ts";
import type { Clock, Log } from "../../src/ports.ts";
import { matchesName, needOf, strictest, type ToolRule } from "../../src/tool-policy.ts";
import type { Need, ToolCall, ToolCaller, ToolResult, ToolSource, ToolSpec } from "../../src/tools.ts";
import { guardedCall } from "./guardrails/call.ts";
import { throughOutages, type Patience } from "./outage.ts";
import { plain, plainIn } from "./plain.ts";
import { clip, renderResult } from "./render.ts";
import { isAfterContent, type TurnContext } from "./turn-context.ts";

/** What a model can still choose from, and what its prompt can bear. */
const mostTools = 128;
const longestDescription = 1_000;
const longestParameters = 8_000;
const longestResult = 20_000;
const listMs = 10_000;
const validName = /^[A-Za-z0-9_-]{1,64}$/;

export interface ToolboxOptions {
  readonly sources: readonly ToolSource[];
  /** Names, with "*", of what this agent may use. */
  readonly allowed: readonly string[];
  readonly rules: readonly ToolRule[];
  readonly effects: Effects;
  /** Where anybody has a budget. */
  readonly meter?: Meter | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

/** What the model is told of a call that a rule refuses. */
export const refused = "Not done: the operator of this agent does not allow it.";

/** And of one for which nothing is left. */
const overBudget = "Not done: the budget for such calls is used up. Do not try it again.";

/** Somebody's word is waited for. */
export function isAsked(need: Need | undefined): boolean {
  return need === "person" || need === "operator";
}

export interface Toolbox {
  readonly tools: readonly Tool<TurnContext>[];
  /** What this call needs before it is made; undefined for a tool that is not one of these. */
  needOf(name: string, args: unknown, content: boolean): Need | undefined;
  /** Calls that this one will have made, which need their own words: for people to see. */
  implied(name: string, args: unknown, content: boolean): readonly ImpliedCall[];
  /** What is under way for the caller, by source. */
  readonly standing: Readonly<Record<string, unknown>>;
}

export interface ImpliedCall {
  readonly tool: string;
  readonly args: unknown;
  readonly need: Need;
}

interface Offered {
  readonly name: string;
  readonly source: ToolSource;
  readonly spec: ToolSpec;
}

/** @param options undefined: there are none. */
export async function openToolbox(
  options: ToolboxOptions | undefined,
  caller: ToolCaller & { readonly turn: TurnId },
  signal: AbortSignal,
): Promise<Toolbox> {
  if (options === undefined) return { tools: [], needOf: () => undefined, implied: () => [], standing: {} };
  const lists = await Promise.all(options.sources.map((source) => offeredBy(source, options, caller, signal)));
  const offered = new Map<string, Offered>();
  for (const one of lists.flat()) {
    if (offered.size < mostTools && !offered.has(one.name)) offered.set(one.name, one);
  }
  const own = (name: string, args: unknown, content: boolean): Need | undefined => {
    const of = offered.get(name);
    return of && needOf({ tool: name, effect: of.spec.effect, args, content }, options.rules, of.source.needs);
  };
  const impliedBy = (name: string, args: unknown, content: boolean): readonly ImpliedCall[] => {
    const of = offered.get(name);
    const calls = of?.source.implies?.(of.spec.name, args) ?? [];
    return calls.map((one) => {
      const tool = `${one.source}__${one.tool}`;
      const source = options.sources.find((each) => each.name === one.source);
      const isAllowed = source !== undefined && options.allowed.some((pattern) => matchesName(pattern, tool));
      const asked = { tool, effect: "idempotent", args: one.args, content: content || one.content } as const;
      const need = isAllowed ? needOf(asked, options.rules, source.needs) : "refuse";
      return { tool, args: one.args, need };
    });
  };
  const needed = (name: string, args: unknown, content: boolean): Need | undefined => {
    const need = own(name, args, content);
    return need && strictest([need, ...impliedBy(name, args, content).map((one) => one.need)]);
  };
  const tools = [...offered.values()].map((of) => sdkTool(of, options, caller, needed));
  const used = new Set([...offered.values()].map(({ source }) => source));
  const standing = await standingOf([...used], options, caller, signal);
  return { tools, needOf: needed, implied: impliedBy, standing };
}

async function standingOf(
  sources: readonly ToolSource[],
  { clock, log }: ToolboxOptions,
  caller: ToolCaller & { readonly turn: TurnId },
  signal: AbortSignal,
): Promise<Readonly<Record<string, unknown>>> {
  const found = sources.map(async ({ name, standing }): Promise<[string, unknown][]> => {
    try {
      const value = await throughOutages(name, async () => standing?.(caller), { clock, log, signal });
      return value === undefined ? [] : [[name, value]];
    } catch (error) {
      signal.throwIfAborted();
      log.warn({ source: name, reason: reasonOf(error) }, "a turn begins without knowing what is under way");
      return [];
    }
  });
  return Object.fromEntries((await Promise.all(found)).flat());
}

async function offeredBy(
  source: ToolSource,
  { allowed, log }: ToolboxOptions,
  caller: ToolCaller,
  signal: AbortSignal,
): Promise<Offered[]> {
  if (!allowed.some((pattern) => mayName(pattern, source.name))) return [];
  const specs = await source.list(caller, AbortSignal.any([signal, AbortSignal.timeout(listMs)]));
  return specs.flatMap((spec) => {
    const name = `${source.name}__${spec.name}`;
    if (!allowed.some((pattern) => matchesName(pattern, name))) return [];
    if (validName.test(name) && JSON.stringify(spec.parameters).length <= longestParameters) {
      return [{ name, source, spec }];
    }
    log.warn(
      { source: source.name, tool: clip(spec.name, 80) },
      "a tool is left out: its name or its parameters are too long",
    );
    return [];
  });
}

/** Something of this source may fit the pattern. */
function mayName(pattern: string, source: string): boolean {
  const [fixed = ""] = pattern.split("*");
  const prefix = `${source}__`;
  return prefix.startsWith(fixed) || fixed.startsWith(prefix);
}

function sdkTool(
  { name, source, spec }: Offered,
  options: ToolboxOptions,
  caller: ToolCaller,
  needed: Toolbox["needOf"],
): Tool<TurnContext> {
  return tool({
    name,
    description: clip(plain(spec.description), longestDescription),
    // Not every server's schema is one that a strict model takes.
    strict: false,
    parameters: schemaOf(spec),
    inputGuardrails: source.shows === undefined ? [] : [guardedCall((args) => source.shows?.(spec.name, args) ?? [])],
    needsApproval: async ({ context }, args) => isAsked(needed(name, args, isAfterContent(context))),
    errorFunction: () => "Not done: the call does not fit the tool's parameters.",
    async execute(args: unknown, context?: RunContext<unknown>) {
      const turn = context?.context as TurnContext | undefined;
      if (turn === undefined) throw new Error("a tool runs in a turn only");
      turn.signal.throwIfAborted();
      if (needed(name, args, turn.content) === "refuse") {
        turn.doubts.add("tool-refused");
        return refused;
      }
      // Whatever comes of it: an error's words are the source's too.
      turn.notes.hasRead();
      const whose = source.ofAgent === true ? `${caller.agentName} ` : "";
      const key = keyOf(caller, turn.nextKey(`${whose}${name}`));
      const { signal, progress, files, chain, ask } = turn;
      const call = { ...caller, turn: turn.turn, key, args, signal, progress, files, chain, ask };
      try {
        const result = await made({ name, source, spec }, options, call);
        if (result.failed === true) turn.doubts.add("tool-failed");
        turn.attached.push(...(result.parts ?? []));
        turn.content = true;
        return renderResult(name, clip(result.text, longestResult), result.failed === true);
      } catch (error) {
        if (signal.aborted) throw error;
        if (error instanceof BudgetError) return overBudget;
        turn.doubts.add("tool-failed");
        if (error instanceof InputError) {
          // It may quote what the source said, now or in an earlier run.
          turn.content = true;
          return renderResult(name, `Not done: ${clip(error.message, longestDescription)}`, true);
        }
        options.log.warn({ turn: turn.turn, tool: name, reason: reasonOf(error) }, "a tool failed");
        return "Not done: the tool failed. Do not try it again in this turn.";
      }
    },
  }) as Tool<TurnContext>;
}

/** Where our own infrastructure fails it is made again under the same key, but not once that may do the same a second time. */
function made(
  { name, source, spec }: Offered,
  { effects, meter, clock, log }: ToolboxOptions,
  call: ToolCall,
): Promise<ToolResult> {
  const { key, args, signal, to } = call;
  let begun = false;
  const effect = spec.keeps === true ? "none" : spec.effect;
  const once = () =>
    effects.once({ key, effect, args, conversation: to.conversation }, async () => {
      await counted(meter, call, name, { clock, log, signal });
      begun = true;
      return source.call(spec.name, call);
    });
  const mayRepeat = () => spec.effect !== "once" || !begun;
  return throughOutages(name, once, { clock, log, signal, mayRepeat });
}

/** What keeps it from being counted keeps the call from being made. It is in the ledger by now: begun anew it would be in doubt. */
async function counted(
  meter: Meter | undefined,
  { agent, to }: ToolCaller,
  name: string,
  patience: Patience,
): Promise<void> {
  try {
    await throughOutages(name, async () => meter?.count(payerOf(agent, to), name), patience);
  } catch (error) {
    if (error instanceof TerminalError) throw error;
    throw new TerminalError("a call was not made: it could not be counted", { cause: error });
  }
}

function keyOf({ agent }: ToolCaller, call: string): string {
  return createHash("sha256").update(`${agent} ${call}`).digest("base64url");
}

/** What the words of a schema say is no more than what its tool's description does. Names and values have to stay what they are. */
function plainWords(key: string, value: unknown): unknown {
  return key === "description" || key === "title" || key === "$comment" ? plainIn(key, value) : value;
}

/** The SDK takes schemas of objects only, and says what else may be in them. */
function schemaOf(spec: ToolSpec) {
  const parameters = JSON.parse(JSON.stringify(spec.parameters, plainWords)) as ToolSpec["parameters"];
  const { properties, required } = parameters as { properties?: unknown; required?: unknown };
  return {
    ...parameters,
    type: "object" as const,
    properties: (typeof properties === "object" && properties !== null ? properties : {}) as Record<string, never>,
    required: Array.isArray(required) ? required.map(String) : [],
    additionalProperties: true as const,
  };
}
