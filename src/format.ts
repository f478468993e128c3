/**
 * From an agent's answer to messages that a platform takes: what the platform lacks is made up for here, once, driven by
 * {@link Traits} alone. Pure: the same answer gives the same parts after a restart, so that a part number is enough to go on.
 */
import type { Channel, Dialect, Outgoing, Traits } from "./channel.ts";
import { hasMarkup } from "./markdown.ts";
import type { Answer, Button, MediaPart, NoticeKey, NoticeValues } from "./message.ts";
import { split } from "./split.ts";

export interface ComposeOptions {
  /** The public address of a stored blob, where the gateway has one. */
  readonly blobUrl?: (id: string) => string | undefined;
  /** The gateway's own sentence, in the person's language; markdown. */
  readonly notice: (key: NoticeKey, values: NoticeValues | undefined) => string;
}

type Part = Answer["parts"][number];
type Text = Extract<Part, { kind: "text" }>;

/**
 * @returns the parts in the order of sending; empty where the answer has no words and nothing else to show. Markdown of which
 * the dialect shows nothing (a link's definition, an empty fence) goes out as it was written, where it is all there is.
 *
 * One text beside one medium and nothing else becomes its caption where it fits. Buttons go on the last text, without one
 * on the last medium; where the platform cannot show them they are a numbered list.
 */
export function compose(
  answer: Answer,
  channel: Pick<Channel, "traits" | "dialect">,
  options: ComposeOptions,
): Outgoing[] {
  const { traits, dialect } = channel;
  const parts = partsOf(answer, options).map((part) => degrade(part, traits, options));
  const buttons = answer.buttons ?? [];
  const shown = showable(buttons, traits);
  const rendered = captioned(parts, channel) ?? parts.flatMap((part) => platformParts(part, channel));
  const outgoing = rendered.length > 0 ? rendered : parts.flatMap((part) => platformParts(asWritten(part), channel));
  if (buttons.length === 0) return outgoing;
  return shown ? withButtons(outgoing, buttons, channel) : withList(outgoing, buttons, traits, dialect);
}

function partsOf(answer: Answer, options: ComposeOptions): readonly Part[] {
  if (answer.notice === undefined) return answer.parts;
  return [{ kind: "text", text: options.notice(answer.notice, answer.values), format: "markdown" }, ...answer.parts];
}

function asWritten(part: Part): Part {
  return part.kind === "text" ? { ...part, format: "plain" } : part;
}

function platformParts(part: Part, { traits, dialect }: Pick<Channel, "traits" | "dialect">): Outgoing[] {
  if (part.kind === "text") return texts(part, dialect, traits.text.max).map((text) => ({ kind: "text", text }));
  if (part.kind !== "location") return [{ kind: "media", media: part }];
  const { latitude, longitude, name } = part;
  return [{ kind: "location", latitude, longitude, ...(name === undefined ? {} : { name }) }];
}

/** Most texts are short and have no markup: those are not parsed at all. */
function texts({ text, format }: Text, dialect: Dialect, max: number): string[] {
  const trimmed = format === "plain" || !hasMarkup(text) ? text.trim() : undefined;
  if (trimmed === "") return [];
  const rendered = trimmed === undefined ? dialect.render(text).trim() : dialect.escape(trimmed);
  if (rendered === "") return [];
  if (dialect.measure(rendered) <= max) return [rendered];
  return split(text, format, dialect, max);
}

function captioned(
  parts: readonly Part[],
  { traits, dialect }: Pick<Channel, "traits" | "dialect">,
): Outgoing[] | undefined {
  if (parts.length !== 2 || traits.caption.max === 0) return undefined;
  const text = parts.find((part) => part.kind === "text");
  const media = parts.find((part) => part.kind !== "text" && part.kind !== "location" && part.kind !== "sticker");
  if (text === undefined || media === undefined) return undefined;
  const [caption, ...more] = texts(text, dialect, traits.text.max);
  if (caption === undefined || more.length > 0 || dialect.measure(caption) > traits.caption.max) return undefined;
  return [{ kind: "media", media: media as MediaPart, caption }];
}

/** A part that the platform takes: the same, the same bytes as a file, or text that says what it was. */
function degrade(part: Part, traits: Traits, options: ComposeOptions): Part {
  if (part.kind === "text") return part;
  if (part.kind === "location") return traits.location ? part : mapLink(part);
  const takes = (kind: MediaPart["kind"]) => (traits.media[kind] ?? -1) >= (part.size ?? 0);
  if (takes(part.kind)) return part;
  if (takes("file")) return { ...part, kind: "file" };
  const name = part.name ?? part.alt ?? part.kind;
  const url = addressOf(part, options);
  return { kind: "text", text: url === undefined ? name : `${name}: ${url}`, format: "plain" };
}

function addressOf({ source }: MediaPart, options: ComposeOptions): string | undefined {
  if (source.from === "url") return source.url;
  return source.from === "blob" ? options.blobUrl?.(source.id) : undefined;
}

function mapLink({ latitude, longitude, name, address }: Extract<Part, { kind: "location" }>): Text {
  const map = `https://www.openstreetmap.org/?mlat=${latitude}&mlon=${longitude}`;
  const lines = [name, address, map].filter((line) => line !== undefined && line !== "");
  return { kind: "text", text: lines.join("\n"), format: "plain" };
}

/** Whether the answer's buttons are shown as a numbered list, to which people answer by typing. */
export function listsButtons({ buttons = [] }: Answer, { traits }: Pick<Channel, "traits">): boolean {
  return buttons.length > 0 && !showable(buttons, traits);
}

function showable(buttons: readonly Button[], { buttons: limits }: Traits): boolean {
  if (limits === undefined || buttons.length > limits.max) return false;
  return buttons.every(({ id, label, url }) => {
    if (label.trim() === "" || label.length > limits.label) return false;
    if (url !== undefined) return /^(?:https?|tg):\/\/\S+$/i.test(url);
    return id !== "" && Buffer.byteLength(id) <= limits.id;
  });
}

function withButtons(
  outgoing: Outgoing[],
  buttons: readonly Button[],
  { traits, dialect }: Pick<Channel, "traits" | "dialect">,
): Outgoing[] {
  const last = (kind: Outgoing["kind"]) => outgoing.findLastIndex((part) => part.kind === kind);
  const index = last("text") >= 0 ? last("text") : last("media");
  const part = outgoing[index];
  if (part === undefined || part.kind === "location") return withList(outgoing, buttons, traits, dialect);
  return outgoing.with(index, { ...part, buttons });
}

/** "1. Label": below the last text where it fits there, else as a message of its own. */
function withList(outgoing: Outgoing[], buttons: readonly Button[], traits: Traits, dialect: Dialect): Outgoing[] {
  const lines = buttons.map(({ id, label, url }, index) => {
    return `${index + 1}. ${label.trim() === "" ? id : label}${url === undefined ? "" : `: ${url}`}`;
  });
  const list = lines.join("\n");
  const index = outgoing.findLastIndex((part) => part.kind === "text");
  const part = outgoing[index];
  if (part?.kind === "text") {
    const text = `${part.text}\n\n${dialect.escape(list)}`;
    if (dialect.measure(text) <= traits.text.max) return outgoing.with(index, { ...part, text });
  }
  const parts = texts({ kind: "text", text: list, format: "plain" }, dialect, traits.text.max);
  const at = index >= 0 ? index + 1 : outgoing.length;
  return outgoing.toSpliced(at, 0, ...parts.map((text): Outgoing => ({ kind: "text", text })));
}
