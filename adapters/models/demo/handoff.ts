/** What the demo does of handing over: it goes where a person's own words say, by the other agent's name, and says who it is there. */
import type { ModelRequest } from "@openai/agents";

const prefix = "transfer_to_";

export interface Handing {
  /** Names of the agents that this one may hand the conversation to. */
  readonly others: readonly string[];
  /** As the instructions call this one; it has the conversation from another one since this turn. */
  readonly since: string | undefined;
}

type Asked = Pick<ModelRequest, "input" | "systemInstructions"> & Partial<Pick<ModelRequest, "handoffs">>;

export function readHanding({ handoffs = [], input, systemInstructions = "" }: Asked): Handing {
  const others = handoffs.map(({ toolName }) => toolName.slice(prefix.length));
  const items = typeof input === "string" ? [] : input;
  const isHanded = items.some((item) => item.type === "function_call_result" && item.name.startsWith(prefix));
  const [, name = "another agent"] = /^Your name is (.+?)\. You talk with people/m.exec(systemInstructions) ?? [];
  return { others, since: isHanded ? name : undefined };
}

/** English, German and Spanish. */
const asking =
  /\b(?:(?:talk|speak) (?:to|with)|(?:hand|pass) (?:me )?(?:over |on |back )?to|transfer (?:me )?to|connect (?:me )?(?:to|with)|sprechen mit|verbinde? mich mit|hablar con|p[aá]same (?:a|con))\s+(?:the |dem |der |el |la )?([\w-]+)|\bmit ([\w-]+) sprechen\b/i;

/** The name of a call that hands over; undefined where the words ask for nothing of the kind. */
export function handedBy(text: string, { others }: Handing): string | undefined {
  const [, named, german] = asking.exec(text) ?? [];
  const name = (named ?? german)?.toLowerCase();
  const found = others.find((other) => other.toLowerCase() === name);
  return found === undefined ? undefined : `${prefix}${found}`;
}

export function sayOfHanding({ since, others }: Handing): string {
  const back = others[0] === undefined ? "" : ` Say *talk to ${others[0]}* to go there.`;
  return `Here is **${since}**: I have the conversation now. A real model would decide by itself whom it is for.${back}`;
}

/** Lines for the list of what can be tried. */
export function handingAbilities({ others }: Handing): readonly string[] {
  return others.map((name) => `- **talk to ${name}** – I hand the conversation over to the agent *${name}*`);
}
