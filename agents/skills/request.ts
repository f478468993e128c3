import type { TaskMessage } from "../../src/skilled.ts";

/** What the caller said last, as text. */
export function requestIn(messages: readonly TaskMessage[]): string {
  return textOf(messages.findLast(({ role }) => role === "user"));
}

/** All that the caller said, oldest first. */
export function saidIn(messages: readonly TaskMessage[]): string {
  return messages
    .filter(({ role }) => role === "user")
    .map(textOf)
    .join("\n");
}

function textOf(message: TaskMessage | undefined): string {
  return (message?.parts ?? []).flatMap((part) => (part.kind === "text" ? [part.text] : [])).join("\n");
}
