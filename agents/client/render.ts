/**
 * What a person sent, as text that a model reads. Everything that is not the person's own text stands on a line of its own
 * in brackets, as JSON: data from outside (names, file names, labels) cannot pass for a message or an instruction, and a
 * text that imitates such a line is escaped.
 */
import type { InboundMessage, InboundPart, MediaPart } from "../../src/message.ts";
import type { DocumentText } from "../../src/reading.ts";
import { plain, plainIn } from "./plain.ts";

const longestQuote = 300;
const longestName = 80;
/** A line of the gateway's begins with one of these; behind spaces, marks of quotations and lists, or in other letters' case it looks like one. */
const inMessage =
  "from|in reply to|pressed|image|video|audio|voice|file|sticker|location|contact|context|summary|tasks|notes|note|end of note|operator|end of operator|content|end of content|cut";
const inHistory =
  "from|in reply to|context|summary|tasks|notes|note|end of note|operator|end of operator|content|end of content";
const lineOf = (words: string) =>
  new RegExp(`^([\\p{Zs}\\t>*#-]{0,40})([\\[\uFF3B])(?=[\\p{Zs}\\t]*(?:${words})(?![\\p{L}\\p{N}_]))`, "gimu");
const imitation = lineOf(inMessage);
const imitationInHistory = lineOf(inHistory);

/**
 * @param named the sender's name is told: in groups, where several people write.
 * @param shown what stands for a medium that was heard, read or seen.
 */
export function renderMessage(
  { message, participant, note }: InboundMessage,
  named: boolean,
  shown: (part: MediaPart) => string = renderMedia,
): string {
  if (note !== undefined)
    return renderTold(note.topic, message.parts.map((part) => renderPart(part, shown)).join("\n"));
  const lines: string[] = [];
  if (named) lines.push(line("from", clip(participant.name ?? participant.handle ?? participant.user, longestName)));
  if (message.replyTo !== undefined) {
    const { text, own } = message.replyTo;
    const quoted = text === undefined ? {} : { text: clip(text, longestQuote) };
    if (own === true || text !== undefined)
      lines.push(line("in reply to", { ...(own ? { yours: true } : {}), ...quoted }));
  }
  const parts = message.parts.map((part) => renderPart(part, shown));
  if (!message.parts.some((part) => part.kind === "text") && message.command !== undefined) {
    const { name, args } = message.command;
    parts.push(escapeLines(`/${name} ${args}`.trim()));
  }
  return [...lines, ...parts].join("\n") || "[empty message]";
}

function renderPart(part: InboundPart, shown: (part: MediaPart) => string): string {
  switch (part.kind) {
    case "text":
      return escapeLines(part.text);
    case "press":
      return line("pressed", { button: clip(part.button, longestName), label: clipped(part.label) });
    case "location": {
      const { latitude, longitude, name, address } = part;
      return line("location", { latitude, longitude, name: clipped(name), address: clipped(address) });
    }
    case "contact":
      return line("contact", { name: clip(part.name, longestName), phone: clipped(part.phone) });
    default:
      return shown(part);
  }
}

/** A file that another agent sent with its task. */
export function renderFile({
  name,
  type,
  size,
}: {
  readonly name?: string | undefined;
  readonly type: string;
  readonly size?: number | undefined;
}): string {
  const told = size === undefined ? undefined : sizeOf(size);
  return line("file", { name: clipped(name), type: clip(type, longestName), size: told });
}

export function renderMedia(part: MediaPart): string {
  return line(part.kind, {
    name: clipped(part.name),
    type: clip(part.type, longestName),
    size: part.size === undefined ? undefined : sizeOf(part.size),
    duration: part.duration === undefined ? undefined : `${Math.round(part.duration)} s`,
    description: clipped(part.alt),
  });
}

/** What was said in a recording, on its line: `[voice 0:12] …`. */
export function renderHeard(part: MediaPart, words: string): string {
  const said = plain(words).replace(/\s+/g, " ").trim();
  return `[${part.kind === "voice" ? "voice" : "audio"} ${lengthOf(part)}] ${said === "" ? "(nobody speaks in it)" : said}`;
}

/** A line of {@link renderHeard}: what the person said themselves. */
export function isHeard(text: string): boolean {
  return text.startsWith("[voice ");
}

/** "0:12"; "of unknown length" where the platform does not tell it. */
export function lengthOf({ duration }: MediaPart): string {
  if (duration === undefined || !Number.isFinite(duration)) return "of unknown length";
  const seconds = Math.max(0, Math.round(duration));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

/** A document's text between two lines of the gateway's own, which nothing in it can imitate. */
export function renderContent(part: MediaPart, { text, pages, cut }: DocumentText): string {
  const about = { pages, ...(cut ? { cut: "only its beginning is shown" } : {}) };
  return [renderMedia(part), renderContentOf(about, text)].join("\n");
}

/** Data from outside between two lines, whatever it is of. */
export function renderContentOf(about: object, text: string): string {
  return [line("content", about), escapeLines(text), "[end of content]"].join("\n");
}

/** What a tool answered, between two lines as a document's text. */
export function renderResult(tool: string, text: string, failed: boolean): string {
  return renderContentOf({ tool, ...(failed ? { failed } : {}) }, text);
}

/** The gateway's own word on what stands before it. */
export function renderNote(text: string): string {
  return `[note] ${text}`;
}

/** What the gateway tells the agent itself, between two lines of its own. @param text escaped. */
export function renderTold(topic: string, text: string): string {
  return [line("note", { topic: clip(topic, longestName) }), text, "[end of note]"].join("\n");
}

/** What a person of the operator's said to the person, between two lines of the gateway's own. @param text escaped. */
export function renderOperator(name: string, text: string): string {
  return [line("operator", { name: clip(name, longestName) }), text, "[end of operator]"].join("\n");
}

/** Decimal units: "640 B", "123 kB", "4.2 MB". */
export function sizeOf(bytes: number): string {
  if (bytes < 1_000) return `${bytes} B`;
  if (bytes < 1_000_000) return `${Math.round(bytes / 1_000)} kB`;
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}

/** One line whatever `data` holds: JSON has no line breaks of its own. */
function line(word: string, data: unknown): string {
  return `[${word} ${JSON.stringify(data, plainIn)}]`;
}

/** What was said before, as `describe` keeps it: its own lines for media stay, those that only the gateway writes do not. */
export function escapeImitations(text: string): string {
  return escaped(text, imitationInHistory);
}

/** Lines that imitate the gateway's are marked as none of its; see also {@link plain}. */
export function escapeLines(text: string): string {
  return escaped(text, imitation);
}

function escaped(text: string, imitations: RegExp): string {
  const seen = plain(text);
  return seen.includes("[") || seen.includes("\uFF3B") ? seen.replace(imitations, "$1\\$2") : seen;
}

export function clip(text: string, max: number): string {
  return text.length <= max ? text : `${text.slice(0, max - 1).toWellFormed()}…`;
}

function clipped(text: string | undefined): string | undefined {
  return text === undefined ? undefined : clip(text, longestName);
}
