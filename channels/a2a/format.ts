/** What goes out, as parts of a task. */
import type { Dialect, Outgoing } from "../../src/channel.ts";
import { escapeMarkdown, hasMarkup } from "../../src/markdown.ts";
import type { TaskPart } from "../../src/skilled.ts";

/** Agents read markdown, and get the agent's. */
export const dialect: Dialect = {
  render: (markdown) => markdown,
  escape: (plain) => (hasMarkup(plain) ? escapeMarkdown(plain) : plain),
  measure: (rendered) => rendered.length,
};

export function partsOf(part: Outgoing): TaskPart[] {
  if (part.kind === "text") return [{ kind: "text", text: part.text }];
  if (part.kind === "location")
    return [{ kind: "data", data: { latitude: part.latitude, longitude: part.longitude, name: part.name } }];
  const { source, type, name, size } = part.media;
  const caption: TaskPart[] = part.caption === undefined ? [] : [{ kind: "text", text: part.caption }];
  if (source.from !== "blob")
    return [...caption, { kind: "text", text: source.from === "url" ? source.url : (name ?? type) }];
  const file = { kind: "file", type, blob: source.id } as const;
  return [...caption, { ...file, ...(name !== undefined && { name }), ...(size !== undefined && { size }) }];
}
