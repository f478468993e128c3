import type { Dialect, Outgoing } from "../../src/channel.ts";
import { escapeMarkdown, hasMarkup } from "../../src/markdown.ts";
import type { AnswerPart } from "./calls.ts";

/** The receiver gets the agent's markdown. Text in which nothing is markup needs no escaping either. */
export const dialect: Dialect = {
  render: (markdown) => markdown,
  escape: (plain) => (hasMarkup(plain) ? escapeMarkdown(plain) : plain),
  measure: (rendered) => rendered.length,
};

export function answerPart(part: Outgoing): AnswerPart {
  if (part.kind === "text") return { kind: "text", text: part.text };
  if (part.kind === "location") {
    const { latitude, longitude, name } = part;
    return { kind: "location", latitude, longitude, ...(name !== undefined && { name }) };
  }
  const { source, type, name } = part.media;
  const text = [part.caption, source.from === "url" ? source.url : name]
    .filter((line) => line !== undefined)
    .join("\n\n");
  return { kind: "text", text: text === "" ? type : text };
}

export function answerOf(parts: readonly AnswerPart[]) {
  return { text: parts.flatMap((part) => (part.kind === "text" ? [part.text] : [])).join("\n\n"), parts };
}
