/** /agent: whom there is to choose from, and the choice. */
import { isNoChoice, type AgentChoice, type AgentOf, type Offered, type OfferedAt } from "./agent-choice.ts";
import type { Answer, InboundMessage } from "./message.ts";

export interface Switched {
  readonly answer: Answer;
  /** What the conversation has from now on; absent where nothing was chosen. */
  readonly choice?: AgentChoice;
  /** What the command goes on to say: an agent answers that, instead of `answer`. */
  readonly message?: InboundMessage;
}

/** @param command whose name is "agent". */
export type Switch = (command: InboundMessage, choice: AgentChoice | undefined) => Switched;

export function createSwitch(agentOf: AgentOf, offeredAt: OfferedAt): Switch {
  return (command, choice) => {
    const { address: to, participant } = command;
    const offered = offeredAt(to, participant);
    const { name: current, title = current } = agentOf(to, { participant, choice });
    const atWork = offered.some(({ name }) => name === current) ? [] : [`▸ ${title}`];
    const given = command.message.command?.args.trim() ?? "";
    if (given === "") return { answer: listed(offered, current, atWork) };
    const { one, rest } = meant(given, offered);
    if (one === undefined) return { answer: said("agentUnknown", listed(offered, current, atWork).parts) };
    const own = offered[0]?.name === one.name;
    const next: AgentChoice = own ? {} : { picked: one.name };
    const reached = agentOf(to, { participant, choice: next }).name === one.name;
    // Who names the agent with each message goes on to do so.
    if (!reached) return { answer: said("agentNamed") };
    const changed = isNoChoice(next) && isNoChoice(choice ?? {}) ? {} : { choice: next };
    const answer = { ...said("agentPicked"), values: { agent: one.title } };
    return rest === "" ? { answer, ...changed } : { answer, ...changed, message: withWords(command, rest) };
  };
}

/** By its name, its title or its command; "default" is the first one. The longest that fits counts. */
function meant(given: string, offered: readonly Offered[]): { readonly one?: Offered; readonly rest: string } {
  const low = given.toLowerCase();
  const called = offered.flatMap((one, at) =>
    [one.name, one.title, one.command, ...(at === 0 ? ["default"] : [])].flatMap((word) =>
      word === undefined ? [] : [{ word: word.toLowerCase(), one }],
    ),
  );
  const [found] = called
    .filter(({ word }) => low === word || (low.startsWith(word) && /\s/.test(low.charAt(word.length))))
    .toSorted((a, b) => b.word.length - a.word.length);
  return found === undefined ? { rest: "" } : { one: found.one, rest: given.slice(found.word.length).trim() };
}

const said = (notice: NonNullable<Answer["notice"]>, parts: Answer["parts"] = []): Answer => ({ parts, notice });

/** @param others who answers now, where nobody chose it. */
function listed(offered: readonly Offered[], current: string, others: readonly string[]): Answer {
  const lines = offered.map(({ name, title, about, command }) => {
    const mark = name === current ? "▸" : "·";
    const way = command === undefined ? `/agent ${name}` : `/${command}`;
    return `${mark} ${title} – ${way}${about === undefined ? "" : ` – ${about}`}`;
  });
  return said("agentsHere", [{ kind: "text", text: [...lines, ...others].join("\n"), format: "plain" }]);
}

/** The rest of the parts, files mostly, stay. */
function withWords({ message, ...event }: InboundMessage, words: string): InboundMessage {
  const { command: _command, ...rest } = message;
  const others = message.parts.filter(({ kind }) => kind !== "text");
  return { ...event, message: { ...rest, parts: [{ kind: "text", text: words, format: "plain" }, ...others] } };
}
