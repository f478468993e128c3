/**
 * What a person sent, as text that a model reads. Everything that is not the person's own text stands on a line of its own
 * in brackets, as JSON: data from outside (names, file names, labels) cannot pass for a message or an instruction, and a
 * text that imitates such a line is escaped.
 */
import type { InboundMessage, InboundPart, MediaPart } from "../../src/message.ts";

const longestQuote = 300;
const longestName = 80;
const imitation =
  /^\[(?=(?:from|in reply to|pressed|image|video|audio|voice|file|sticker|location|contact|context|summary|note)\b)/gm;
const imitationInHistory = /^\[(?=(?:from|in reply to|context|summary|note)\b)/gm;

/** @param named the sender's name is told: in groups, where several people write. */
export function renderMessage({ message, participant }: InboundMessage, named: boolean): string {
  const lines: string[] = [];
  if (named) lines.push(line("from", clip(participant.name ?? participant.handle ?? participant.user, longestName)));
  if (message.replyTo !== undefined) {
    const { text, own } = message.replyTo;
    const quoted = text === undefined ? {} : { text: clip(text, longestQuote) };
    if (own === true || text !== undefined)
      lines.push(line("in reply to", { ...(own ? { yours: true } : {}), ...quoted }));
  }
  const parts = message.parts.map(renderPart);
  if (!message.parts.some((part) => part.kind === "text") && message.command !== undefined) {
    const { name, args } = message.command;
    parts.push(escape(`/${name} ${args}`.trim()));
  }
  return [...lines, ...parts].join("\n") || "[empty message]";
}

function renderPart(part: InboundPart): string {
  switch (part.kind) {
    case "text":
      return escape(part.text);
    case "press":
      return line("pressed", { button: clip(part.button, longestName), label: clipped(part.label) });
    case "location": {
      const { latitude, longitude, name, address } = part;
      return line("location", { latitude, longitude, name: clipped(name), address: clipped(address) });
    }
    case "contact":
      return line("contact", { name: clip(part.name, longestName), phone: clipped(part.phone) });
    default:
      return renderMedia(part);
  }
}

function renderMedia(part: MediaPart): string {
  return line(part.kind, {
    name: clipped(part.name),
    type: clip(part.type, longestName),
    size: part.size === undefined ? undefined : sizeOf(part.size),
    duration: part.duration === undefined ? undefined : `${Math.round(part.duration)} s`,
    description: clipped(part.alt),
  });
}

/** Decimal units: "640 B", "123 kB", "4.2 MB". */
export function sizeOf(bytes: number): string {
  if (bytes < 1_000) return `${bytes} B`;
  if (bytes < 1_000_000) return `${Math.round(bytes / 1_000)} kB`;
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}

/** One line whatever `data` holds: JSON has no line breaks of its own. */
function line(word: string, data: unknown): string {
  return `[${word} ${JSON.stringify(data)}]`;
}

/** What was said before, as `describe` keeps it: its own lines for media stay, those that only the gateway writes do not. */
export function escapeImitations(text: string): string {
  return text.includes("[") ? text.replace(imitationInHistory, "\\[") : text;
}

function escape(text: string): string {
  return text.includes("[") ? text.replace(imitation, "\\[") : text;
}

export function clip(text: string, max: number): string {
  return text.length <= max ? text : `${text.slice(0, max - 1).toWellFormed()}…`;
}

function clipped(text: string | undefined): string | undefined {
  return text === undefined ? undefined : clip(text, longestName);
}
