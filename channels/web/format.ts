/** The page's own forms. It renders markdown itself, so that the dialect leaves it as it is. */
import type { Dialect } from "../../src/channel.ts";
import { escapeMarkdown } from "../../src/markdown.ts";
import type { Placed, StoredAttachment } from "./entry.ts";
import type { PageMessage } from "./routes.ts";

export const dialect: Dialect = {
  render: (markdown) => markdown,
  escape: escapeMarkdown,
  measure: (rendered) => rendered.length,
};

/** Undefined for what has no bubble. */
export function pageMessage({ key, at, entry }: Placed): PageMessage | undefined {
  if (entry.kind === "command") return undefined;
  const common = { id: key, text: entry.text, at: new Date(at).toISOString() };
  const attachments = entry.attachments.map(pageAttachment);
  if (entry.kind === "user") return { ...common, role: "user", attachments, buttons: [], clientId: entry.client };
  const { buttons, answers, notice } = entry;
  return { ...common, role: notice === true ? "notice" : "agent", attachments, buttons, answers };
}

export function pageAttachment({ id, name, type, size }: Omit<StoredAttachment, "blob">) {
  return { id, name, type, size, url: `/api/attachments/${id}` };
}

/** One server-sent event. JSON has no line breaks, so that one data line is enough. */
export function serverEvent(event: string, data: unknown, id?: number): string {
  return `event: ${event}\n${id === undefined ? "" : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`;
}
