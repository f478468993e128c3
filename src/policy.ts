/** Which messages start no turn, by named rules: what is set aside is visible with its rule, never dropped in silence. */
import type { InboundEvent } from "./message.ts";

/** @returns the rule that sets the event aside before it reaches an agent; undefined lets it through. */
export function setAsideRule(event: InboundEvent): string | undefined {
  if (event.participant.bot === true) return "from a bot";
  const talks = event.kind === "message" || event.kind === "edited";
  if (talks && event.address.kind === "group" && !event.message.addressed) return "not addressed";
  if (talks && event.message.parts.length === 0 && event.message.command === undefined) return "empty";
  return undefined;
}
