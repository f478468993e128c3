/** A run that stops before calls that need somebody's word, and goes on with it: hours later, in another process. */
import { RunContext, RunState, type Agent as SdkAgent, type AgentInputItem } from "@openai/agents";
import type { AskedCall, Pause, Resume } from "../../src/agent.ts";
import { TerminalError } from "../../src/errors.ts";
import type { Need } from "../../src/tools.ts";
import { withoutPictures } from "./images.ts";
import { clip } from "./render.ts";
import { isAsked, type Toolbox } from "./toolbox.ts";
import type { TurnContext } from "./turn-context.ts";

/** What of a run's result it takes. */
interface Stopped {
  readonly interruptions: readonly { readonly name: string | undefined; readonly arguments: string | undefined }[];
  readonly state: { toString(): string };
}

/** Of the state's JSON. */
const longestState = 500_000;
/** Of one call's arguments as people are shown them. */
const longestArgs = 2_000;

/** Undefined where the run has come to its end. */
export function pauseOf(
  result: Stopped,
  needOf: (tool: string, args: unknown) => Need,
  impliedBy: (tool: string, args: unknown) => ReturnType<Toolbox["implied"]>,
  forMs: number,
): Pause | undefined {
  if (result.interruptions.length === 0) return undefined;
  // Whoever decides on a call that has others made sees each of those that need a word.
  const calls = result.interruptions.flatMap((item): AskedCall[] => {
    const implied = impliedBy(item.name ?? "", argsOf(item.arguments)).filter(({ need }) => isAsked(need));
    const shown = implied.map(({ tool, args }) => ({ tool, args: clip(JSON.stringify(args), longestArgs) }));
    return [{ tool: item.name ?? "", args: clip(item.arguments ?? "{}", longestArgs) }, ...shown];
  });
  const byOperator = result.interruptions.some(
    (item) => needOf(item.name ?? "", argsOf(item.arguments)) === "operator",
  );
  return { state: stateOf(result.state), calls, by: byOperator ? "operator" : "person", forMs };
}

/** How a state names the agent at work. */
export function atWorkIn({ state }: Resume): string | undefined {
  const { currentAgent } = argsOf(state) as { currentAgent?: { name?: string } };
  return currentAgent?.name;
}

function argsOf(json: string | undefined): unknown {
  try {
    return JSON.parse(json ?? "{}");
  } catch {
    return undefined;
  }
}

/** Pictures are left out: they are as large as everything else together, and the model has seen them. */
function stateOf(of: Stopped["state"]): string {
  const state = JSON.parse(of.toString()) as { originalInput?: string | AgentInputItem[] };
  const { originalInput } = state;
  const plain = Array.isArray(originalInput) ? withoutPictures(originalInput) : undefined;
  const json = JSON.stringify(plain === undefined ? state : { ...state, originalInput: plain });
  if (json.length > longestState) throw new TerminalError("the run is too long to be kept until somebody has decided");
  return json;
}

/**
 * The run's state with the word in it.
 * @throws TerminalError where the agent has changed so much since that the run cannot go on.
 */
export async function resumed(agent: SdkAgent<TurnContext>, { state, approved, note }: Resume, context: TurnContext) {
  const read = RunState.fromStringWithContext(agent, state, new RunContext(context), { contextStrategy: "replace" });
  const run = await read.catch((cause: unknown) => {
    throw new TerminalError("the run that waited does not fit the agent any more", { cause });
  });
  for (const item of run.getInterruptions()) {
    if (approved) run.approve(item);
    else run.reject(item, { message: refusal(note) });
  }
  return run;
}

function refusal(note: string | undefined): string {
  const said = note === undefined ? "" : ` Their words: ${JSON.stringify(note)}`;
  return `Not done: who was asked said no. Do not try it again.${said}`;
}
