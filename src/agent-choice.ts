/**
 * Which agent answers in a conversation, beside what the configuration says: the one that a person chose there, and the one that
 * an agent handed the conversation to. Kept with the conversation; names are those of the configuration.
 */
import { z } from "zod";
import type { Agent, AgentTraits, AgentVersion } from "./agent.ts";
import type { Address, InboundEvent, InboundMessage, Participant } from "./message.ts";

export const agentChoice = z.object({
  picked: z.string().optional(),
  /** Counts for as long as `from` is the one that would answer without it, and the configuration has ways from there to `to`. */
  handed: z.object({ to: z.string(), from: z.string() }).optional(),
});
export type AgentChoice = Readonly<z.infer<typeof agentChoice>>;

/** What decides, beside the address. */
export interface Who {
  /** In a direct chat, the person. */
  readonly participant?: Pick<Participant, "user" | "locale"> | undefined;
  readonly choice?: AgentChoice | undefined;
  /** What goes on was begun by this one: it goes before all else where it still is there. */
  readonly begunBy?: string | undefined;
}

/** The agent that answers. */
export interface Answering {
  readonly name: string;
  /** The one that would answer had nobody handed the conversation on; `name` itself unless given. */
  readonly base?: string | undefined;
  /** As people are shown it; absent where there is one agent only. */
  readonly title?: string | undefined;
  readonly agent: Agent;
  readonly traits: AgentTraits;
  /** Said with its answers, where those are rated. */
  readonly made?: AgentVersion | undefined;
}

export type AgentOf = (to: Address, who?: Who) => Answering;

/** Whom people may choose where they write, the one that answers there without their choice first. */
export interface Offered {
  readonly name: string;
  readonly title: string;
  readonly about?: string | undefined;
  /** Its own command, without the slash. */
  readonly command?: string | undefined;
}
export type OfferedAt = (to: Address, participant: Participant) => readonly Offered[];

/** After a turn of `base`'s that ended with `by`. */
export function choiceAfter(choice: AgentChoice = {}, base: string, by: string): AgentChoice {
  const { picked } = choice;
  return {
    ...(picked === undefined ? {} : { picked }),
    ...(by === base ? {} : { handed: { to: by, from: base } }),
  };
}

export function isNoChoice({ picked, handed }: AgentChoice): boolean {
  return picked === undefined && handed === undefined;
}

/** An agent's own command is /agent with its name: so the conversation knows one command alone. */
export function canonical(event: InboundEvent, commands: ReadonlyMap<string, string>): InboundEvent {
  if (event.kind !== "message" && event.kind !== "edited") return event;
  const { command } = event.message;
  const name = command === undefined ? undefined : commands.get(command.name);
  if (command === undefined || name === undefined) return event;
  return {
    ...event,
    message: { ...event.message, command: { name: "agent", args: `${name} ${command.args}`.trim() } },
  };
}

/**
 * It goes on to say something to the agent that it chooses, as far as can be told without knowing the agents. So it is a message like
 * any other, but that it has a turn of its own.
 */
export function saysMore({ message: { command } }: InboundMessage): boolean {
  return command?.name === "agent" && /\S\s+\S/.test(command.args);
}
