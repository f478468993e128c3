/**
 * Whether a turn's prompt holds words of neither the person nor the operator: what a file holds or a picture shows, what was quoted,
 * noted or remembered, what other agents said. From then on calls may need a word that they would not need else.
 */
import type { HistoryItem, TurnInput } from "../../src/agent.ts";
import type { InboundMessage } from "../../src/message.ts";
import { isHeard } from "./render.ts";

/** @param standing what other agents do for the conversation: they are quoted there. */
export function holdsContent(input: TurnInput, standing: Readonly<Record<string, unknown>>): boolean {
  const { summary = "", history, messages, resume } = input;
  return (
    summary !== "" ||
    Object.keys(standing).length > 0 ||
    history.some(isOutside) ||
    messages.some(bringsContent) ||
    // As the gateway marks it: nothing else in a run's state can look like that.
    resume?.state.includes("[content {") === true
  );
}

/** What of a summary it is made from is not known: all of it may be. */
function isOutside({ role, name, outside, read = [] }: HistoryItem): boolean {
  return outside === true || (role === "note" && name !== undefined) || read.some(({ text }) => !isHeard(text));
}

function bringsContent({ message, note }: InboundMessage): boolean {
  if (note !== undefined) return message.parts.some(({ kind }) => kind !== "press");
  const { replyTo, parts } = message;
  if (replyTo?.text !== undefined && replyTo.own !== true) return true;
  return parts.some(({ kind }) => !["text", "press", "location", "voice"].includes(kind));
}
