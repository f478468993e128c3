/**
 * The agents that may be at work in one turn: the one that has it, those that it may hand the conversation to, and so on. Each is an
 * agent of the SDK with its own instructions, model, tools and rules; those that are not at work have neither tools nor a model
 * yet, so that a turn which nobody hands on opens nothing for them.
 */
import { Agent as SdkAgent, handoff, type Model, type Tool } from "@openai/agents";
import { TerminalError } from "../../src/errors.ts";
import type { Need } from "../../src/tools.ts";
import { askOperator } from "./ask-operator.ts";
import type { TurnGuard } from "./guardrails/turn.ts";
import { clip } from "./render.ts";
import type { Role } from "./role.ts";
import type { Toolbox } from "./toolbox.ts";
import { ownNeedOf } from "./tools.ts";
import type { TurnContext } from "./turn-context.ts";

/** In one turn: then whoever is at work has to answer. */
export const mostHandoffs = 4;
const longestAbout = 500;

export interface Crew {
  readonly start: SdkAgent<TurnContext>;
  /** @param content as in the turn's context. */
  needOf(role: Role, tool: string, args: unknown, content: boolean): Need;
  /** As {@link Toolbox.implied}. */
  implied(role: Role, tool: string, args: unknown, content: boolean): ReturnType<Toolbox["implied"]>;
}

export interface CrewOptions {
  readonly start: Role;
  /** How a run that goes on names the one at work; undefined: it is a new run. */
  readonly knownAs: string | undefined;
  /** All that are configured, by name. */
  readonly roles: ReadonlyMap<string, Role>;
  /** Who handed the conversation to `start`. */
  readonly handedBy: string | undefined;
  readonly guardOf: (role: Role) => Pick<TurnGuard, "inputGuardrails" | "outputGuardrails">;
  /** Of its own. */
  readonly toolsOf: (role: Role) => readonly Tool<TurnContext>[];
  readonly instructionsOf: (role: Role) => Promise<string>;
  readonly modelOf: (role: Role) => Promise<Model>;
  readonly toolboxOf: (role: Role) => Promise<Toolbox>;
  /** The conversation is handed over, before anything is opened for who has it then. @throws where that one may not have it. */
  readonly onHandoff: (from: Role, to: Role) => Promise<void>;
}

export async function createCrew(options: CrewOptions): Promise<Crew> {
  const { start, handedBy, knownAs } = options;
  const roles = new Map(options.roles).set(start.name, start);
  const agents = new Map<string, SdkAgent<TurnContext>>();
  const boxes = new Map<string, Toolbox>();
  const transferNames = transferNamesOf([...roles.keys()]);
  let handed = 0;
  // Alone, as it was always called in the states of runs.
  const isAlone = start.settings.handoffs.length === 0 && handedBy === undefined;
  const startName = (knownAs ?? (isAlone ? start.settings.name : start.name)) || start.name;

  /** It is at work from here on. */
  async function open(role: Role): Promise<void> {
    if (boxes.has(role.name)) return;
    const toolbox = await options.toolboxOf(role);
    const agent = agents.get(role.name);
    if (agent === undefined) throw new TerminalError(`the agent "${role.name}" is not known to this turn`);
    agent.instructions = await options.instructionsOf(role);
    agent.model = await options.modelOf(role);
    const { inputGuardrails, outputGuardrails } = options.guardOf(role);
    agent.inputGuardrails = inputGuardrails;
    agent.outputGuardrails = outputGuardrails;
    agent.tools = [...options.toolsOf(role), ...toolbox.tools];
    boxes.set(role.name, toolbox);
  }

  function agentFor(role: Role): SdkAgent<TurnContext> {
    const known = agents.get(role.name);
    if (known !== undefined) return known;
    const { settings, modelSettings } = role;
    const agent = new SdkAgent<TurnContext>({ name: role === start ? startName : role.name, modelSettings });
    agents.set(role.name, agent);
    const back = role === start && handedBy !== undefined ? [handedBy] : [];
    const named = new Set([...settings.handoffs, ...back]);
    const targets = [...named].flatMap((name) => (name === role.name ? [] : (roles.get(name) ?? [])));
    agent.handoffs = targets.map((target) => handoffFrom(role, target, true));
    return agent;
  }

  /** @param offered false: it stands there for a run that goes on and knows that agent. */
  const handoffFrom = (from: Role, to: Role, offered: boolean) =>
    handoff(agentFor(to), {
      toolNameOverride: transferNames.get(to.name) ?? to.name,
      toolDescriptionOverride: describe(to, from === start && to.name === handedBy),
      isEnabled: () => offered && handed < mostHandoffs,
      async onHandoff() {
        handed += 1;
        await options.onHandoff(from, to);
        await open(to);
      },
    });

  const first = agentFor(start);
  // A run that waited for a word was perhaps begun by one that does not hand over to this one any more.
  for (const role of knownAs === undefined ? [] : roles.values())
    if (!agents.has(role.name)) first.handoffs.push(handoffFrom(start, role, false));
  await open(start);
  return {
    start: first,
    needOf(role, tool, args, content) {
      if (tool === askOperator.name) return "operator";
      return boxes.get(role.name)?.needOf(tool, args, content) ?? ownNeedOf(tool, args, content, role.settings.rules);
    },
    implied: (role, tool, args, content) => boxes.get(role.name)?.implied(tool, args, content) ?? [],
  };
}

/** As models take them, each another one. */
function transferNamesOf(names: readonly string[]): ReadonlyMap<string, string> {
  const used = new Set<string>();
  const named = names.map((name) => {
    const plain = `transfer_to_${name.replaceAll(/[^\w-]/g, "_")}`.slice(0, 60);
    let own = plain;
    for (let n = 2; used.has(own); n++) own = `${plain}_${n}`;
    used.add(own);
    return [name, own] as const;
  });
  return new Map(named);
}

function describe({ settings: { name, about } }: Role, back: boolean): string {
  const who = about === undefined ? name : `${name}, whose business is: ${about}`;
  const words = back
    ? `Give the conversation back to ${name}, which had handed it over: for what is not your business.`
    : `Hand the conversation over to ${who}. They know all that was said, and answer the person from now on.`;
  return clip(words, longestAbout);
}
