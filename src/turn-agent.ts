/** Which agent has a turn, and what its conversation keeps of that. */
import type { TurnOutput } from "./agent.ts";
import { choiceAfter, type AgentOf, type Answering, type Who } from "./agent-choice.ts";
import type { Switch, Switched } from "./agent-command.ts";
import type { Taken } from "./agent-calls.ts";
import { TerminalError } from "./errors.ts";
import type { Addressed, Speaker } from "./events.ts";
import { fromPeople } from "./message.ts";

/** The agent whose run waited for a word is not configured any more. */
export class AgentGone extends TerminalError {
  override readonly name = "AgentGone";
}

export interface Cast {
  /** As the agent is given it: what a command goes on to say stands for the command. */
  readonly taken: Taken;
  readonly answering: Answering;
  /** The one that answers there now: another one where what goes on was begun before it did. */
  readonly current: string;
  /** The messages are /agent. */
  readonly switched?: Switched;
}

export function castOf(options: { readonly agentOf: AgentOf; readonly switchAgent: Switch }, taken: Taken): Cast {
  const [first] = taken.messages;
  const isSwitch = first?.message.command?.name === "agent";
  const switched = isSwitch ? options.switchAgent(first, taken.choice) : undefined;
  const { participant } = fromPeople(taken.messages).at(-1) ?? first ?? {};
  const who: Who = { participant, choice: switched?.choice ?? taken.choice };
  const current = options.agentOf(taken.to, who);
  const { begunBy } = taken;
  const answering = begunBy === undefined ? current : options.agentOf(taken.to, { ...who, begunBy });
  const given = switched?.message === undefined ? taken : { ...taken, messages: [switched.message] };
  return { taken: given, answering, current: current.name, ...(switched === undefined ? {} : { switched }) };
}

/** @throws AgentGone where the run that a word was for cannot go on. */
export function checkCast({ taken, answering }: Cast): void {
  const { decided, begunBy } = taken;
  if (decided === undefined || begunBy === undefined || answering.name === begunBy) return;
  throw new AgentGone(`the agent "${begunBy}" is not configured any more: what waited for a word is not done`);
}

/** @param output absent where the turn failed: then nobody was handed anything, but what a person chose holds. */
export function addressedIn(agentOf: AgentOf, cast: Cast, output: Pick<TurnOutput, "by"> = {}): Addressed {
  const by = speakerOf(agentOf, cast, output);
  const words = cast.switched?.message?.message;
  return { ...(by && { by }), ...(words && { words }) };
}

/** Undefined where there is one agent only. */
function speakerOf(agentOf: AgentOf, cast: Cast, { by }: Pick<TurnOutput, "by">): Speaker | undefined {
  const { answering, current, switched, taken } = cast;
  if (answering.title === undefined) return undefined;
  const name = by ?? answering.name;
  const title = agentOf(taken.to, { begunBy: name }).title ?? name;
  const chosen = switched?.choice === undefined ? {} : { choice: switched.choice };
  // Another one goes on answering there.
  if (answering.name !== current) return { name, title, at: current };
  if (name === answering.name) return { name, title, at: name, ...chosen };
  const choice = choiceAfter(switched?.choice ?? taken.choice, answering.base ?? answering.name, name);
  return { name, title, at: name, choice };
}
